/** Every test there is, found by loading the test files without running them (vitest's collect). */
import { relative } from 'node:path';
import type { TestCase, TestModule, Vitest } from 'vitest/node';
import { RigError } from '../cli/exit-codes.js';
import { suiteOf } from '../report/vitest-cases.js';

export interface KnownTest {
  readonly id: string;
  /** Path from the root of the repository. */
  readonly file: string;
  readonly suite: string;
  readonly name: string;
  readonly specIds: readonly string[];
  readonly moduleId: string;
  /** In the list of all that the run runs, from 1; known once the run is planned (plan.ts). */
  readonly position?: number;
}

export interface Collected {
  readonly tests: readonly KnownTest[];
  /** Files that do not load, with their first error: rig errors of the run to come. */
  readonly broken: readonly { readonly file: string; readonly moduleId: string; readonly error: string }[];
}

export async function collectTests(vitest: Vitest, root: string): Promise<Collected> {
  const wanted = await vitest.getRelevantTestSpecifications();
  const { testModules, unhandledErrors } = await vitest.collect();
  const known = new Set(testModules.map(({ moduleId }) => moduleId));
  const unseen = wanted.filter(({ moduleId }) => !known.has(moduleId)).map(({ moduleId }) => relative(root, moduleId));
  // A worker that dies takes files along, and nothing else would tell.
  if (unhandledErrors.length + unseen.length > 0) {
    const why = unhandledErrors.map((error) => (error as Error).message).join('; ');
    throw new RigError(`the tests could not be listed: ${[why, ...unseen].filter(Boolean).join(', ')}`);
  }
  // By character codes, not by the machine's language: shards on several machines rely on one order.
  const modules = [...testModules].sort((a, b) => (a.moduleId < b.moduleId ? -1 : 1));
  const broken = modules.filter((module) => module.errors().length > 0).map((module) => ({
    file: relative(root, module.moduleId),
    moduleId: module.moduleId,
    error: module.errors()[0]?.message ?? 'does not load',
  }));
  return { tests: modules.flatMap((module) => testsOf(module, root)), broken };
}

function testsOf(module: TestModule, root: string): KnownTest[] {
  const file = relative(root, module.moduleId);
  return [...module.children.allTests()].map((test: TestCase) => ({
    id: test.id,
    file,
    suite: suiteOf(file),
    name: test.fullName,
    specIds: (test.meta() as { spec?: readonly string[] }).spec ?? [],
    moduleId: module.moduleId,
  }));
}
