/** One of several ways in which a run runs its tests: another flavour, a round of --repeat. */
import { join } from 'node:path';

export interface Variant {
  /** Shown behind a test's name, such as `debug` or `round 3`. */
  readonly label: string;
  /** Properties that differ from those of the run, such as flavour or seed. */
  readonly facts: Readonly<Record<string, string>>;
}

/** Id of a case: the test's own, and which variant of it. */
export function caseId(testId: string, variant: Variant | undefined): string {
  return variant === undefined ? testId : `${testId}@${variant.label}`;
}

/** Vitest's id of the test behind a case. */
export function testId(id: string, variant: Variant | undefined): string {
  return variant === undefined ? id : id.slice(0, -caseId('', variant).length);
}

export function titleOf({ name, variant }: { readonly name: string; readonly variant?: Variant | undefined }): string {
  return variant === undefined ? name : `${name} (${variant.label})`;
}

/** The results folder that a variant's workers get: what --keep keeps of one must not cover what it keeps of another. */
export function variantDir(resultsDir: string, variant: Variant | undefined): string {
  return variant === undefined ? resultsDir : join(resultsDir, variant.label.replaceAll(/[^\w.-]+/g, '-'));
}
