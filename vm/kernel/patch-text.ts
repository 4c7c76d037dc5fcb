/** What can be read out of patches and of git's complaints; pure. */

/** Files that a patch changes, adds or removes, in order, each once. */
export function touchedFiles(patch: string): string[] {
  const headers = [...patch.matchAll(/^diff --git a\/(\S+) b\/(\S+)$/gm)];
  const files = headers.flatMap((match) => [match[1] as string, match[2] as string]);
  return [...new Set(files)];
}

export interface ApplyFailure {
  readonly file: string | undefined;
  /** Where in the file the hunk was meant to go. */
  readonly hunkLine: number | undefined;
}

const REASONS = [
  'patch does not apply', 'No such file or directory', 'already exists in working directory', 'does not exist in .+',
];

/** The first hunk that git apply could not place. */
export function parseApplyFailure(output: string): ApplyFailure {
  const failed = /^error: patch failed: (.+):(\d+)$/m.exec(output);
  if (failed) return { file: failed[1], hunkLine: Number(failed[2]) };
  const other = new RegExp(`^error: (.+?): (?:${REASONS.join('|')})$`, 'm').exec(output);
  if (other) return { file: other[1], hunkLine: undefined };
  const corrupt = /^error: corrupt patch at (?:line )?(?:.*:)?(\d+)$/m.exec(output);
  return { file: undefined, hunkLine: corrupt ? Number(corrupt[1]) : undefined };
}
