/** From KTAP as kernels print it to the TAP that tap-parser reads. KTAP names its version otherwise, indents children
 *  by two spaces (KUnit by four) where TAP wants four, repeats the version in each child, and mixes with the console. */

export interface Normalized {
  readonly tap: string;
  /** A version line was seen: what follows is meant to be a report. */
  readonly isStarted: boolean;
}

const childIndent = '    ';
const versionLine = /^\s*K?TAP version \d+\s*$/;
const planLine = /^1\.\.\d+(\s*#.*)?$/;
const resultLine = /^(not )?ok( \d+\b| - |$)/;
/** What printk puts before a message: level, time, caller. One space follows, the rest is the message's own. */
const printkPrefix = /^(<\d+>)?\[\s*\d+\.\d+\](\[\s*[TC]\d+\])? ?/;

export function normalize(stream: string): Normalized {
  const out: string[] = [];
  const indents: number[] = [0];
  let isStarted = false;
  let hasPrefix = false;
  for (const raw of stream.split(/\r*\n/)) {
    const version = versionLine.test(raw.replace(printkPrefix, ''));
    // Only the version line tells whether this stream came through the console.
    if (version && !isStarted) hasPrefix = printkPrefix.test(raw);
    const line = hasPrefix ? raw.replace(printkPrefix, '') : raw;
    const text = line.trimStart();
    if (version) {
      if (!isStarted) out.push('TAP version 14');
      isStarted = true;
    } else if (isStarted && text !== '') {
      const comment = text.startsWith('#') ? text : `# ${text}`;
      out.push(isTap(text) ? place(line, text, indents) : `${childIndent.repeat(indents.length - 1)}${comment}`);
    }
  }
  return { tap: `${out.join('\n')}\n`, isStarted };
}

function isTap(text: string): boolean {
  return planLine.test(text) || resultLine.test(text) || /^# Subtest/.test(text) || /^Bail out!/.test(text);
}

/** Gives the line TAP's indentation for its depth; `indents` holds the widths that lead to the current one. */
function place(line: string, text: string, indents: number[]): string {
  const width = line.length - text.length;
  while (indents.length > 1 && width < (indents.at(-1) ?? 0)) indents.pop();
  if (width > (indents.at(-1) ?? 0)) indents.push(width);
  return childIndent.repeat(indents.length - 1) + text;
}
