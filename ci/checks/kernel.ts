/** Kernel style: checkpatch, compiler warnings (W=1) and sparse (C=2) on our patches and module. Silent means passed. */
import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { attempt, temporaryFolder, withPatchedTree, type KernelBuild, type KernelLine, type PatchedTree } from '../../vm/index.js';
import { mutantsCheck } from '../mutants/refresh.js';
import type { Check } from './check.js';
import { repositoryFiles } from './files.js';
import { ownLines } from './own-lines.js';

const buildTimeoutMs = 600_000;
const checkTimeoutMs = 120_000;
const phase = 'kernel style';

/** Programs are not: module/tool/ and suites/fixtures/guest/. */
const kernelSource = /^(?:module\/(?!tool\/)|suites\/(?!fixtures\/guest\/)).*\.[ch]$/;

type Tell = (detail: string) => void;

export function kernelChecks(root: string, line: KernelLine, kernel: KernelBuild, moduleDir: string): Check[] {
  const onTree = (name: string, work: (tree: PatchedTree, tell: Tell) => Promise<readonly string[]>): Check => ({
    name,
    repeat: 'npm test',
    run: (tell) => withPatchedTree(line, { progress: ({ what }) => tell(what) }, (tree) => work(tree, tell)),
  });
  return [
    onTree('checkpatch', (tree, tell) => checkpatch(root, tree, tell)),
    onTree('W=1 and sparse on the patched files', (tree, tell) => patchedFiles(tree, kernel.objectDir, tell)),
    { name: 'W=1 and sparse on the module', repeat: 'npm test', run: () => moduleWarnings(kernel, moduleDir, 'module/') },
    { name: 'W=1 and sparse on the modules of the tests', repeat: 'npm test', run: () => testModuleWarnings(root, kernel) },
    mutantsCheck(root, 'kernel', { moduleDir, line }),
    onTree('uapi headers agree', ({ sourceDir }) => Promise.resolve(uapiSync(root, sourceDir))),
  ];
}

/** The kernel's own checkpatch, as strict as it gets, one run per patch and per module source. */
async function checkpatch(root: string, { sourceDir, patches }: PatchedTree, tell: Tell): Promise<string[]> {
  const sources = (await repositoryFiles(root)).filter((file) => kernelSource.test(file)).map((file) => join(root, file));
  const found: string[] = [];
  for (const file of [...patches, ...sources]) {
    tell(relative(root, file));
    const kind = file.endsWith('.patch') ? [] : ['--file'];
    const argv = ['perl', join(sourceDir, 'scripts/checkpatch.pl'), '--root', sourceDir, '--strict',
      '--no-summary', '--terse', '--show-types', '--color=never', ...kind, file];
    // Outside our repository: checkpatch takes a patch that git tracks for a source file. What it says is on stdout;
    // stderr has the complaints of its optional Python helper about packages that nobody needs.
    const { stdout, stderr, exitCode } = await attempt(argv, { phase, timeoutMs: checkTimeoutMs, cwd: sourceDir });
    const lines = stdout.split('\n').filter((line) => line.trim() !== '').map((line) => line.replace(`${root.replace(/\/$/, '')}/`, ''));
    found.push(...lines);
    if (exitCode !== 0 && lines.length === 0) found.push(`${relative(root, file)}: checkpatch ended with ${exitCode}: ${stderr}`);
  }
  return found;
}

/** Compiles the touched C files again with warnings and sparse, in a copy of the objects, which stay as they are.
 *  What is said of functions that the patches leave alone is the kernel's own affair. */
async function patchedFiles(tree: PatchedTree, objectDir: string, tell: Tell): Promise<string[]> {
  const { sourceDir, patches } = tree;
  const objects = touchedFiles(patches.map((patch) => readFileSync(patch, 'utf8')))
    .filter((file) => file.endsWith('.c')).map((file) => file.replace(/\.c$/, '.o'));
  if (objects.length === 0) return ['the patches touch no C file'];
  const copy = temporaryFolder('style-kernel-');
  try {
    tell('copying the build');
    cpSync(objectDir, copy, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    objects.forEach((object) => rmSync(join(copy, object), { force: true }));
    tell(objects.join(' '));
    const warnings = await make(['-C', sourceDir, `O=${copy}`, 'W=1', 'C=2', ...objects], [sourceDir, copy], '');
    return await ownWarnings(tree, warnings);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

async function ownWarnings({ sourceDir, pristineDir }: PatchedTree, warnings: readonly string[]): Promise<string[]> {
  const own = new Map<string, Set<number>>();
  const found: string[] = [];
  for (const warning of warnings) {
    const [, file, line] = /^(?:\.\.\/)*(\S+?\.c):(\d+):/.exec(warning) ?? [];
    const was = join(pristineDir, file ?? '');
    if (file !== undefined && existsSync(was) && !own.has(file)) {
      const is = join(sourceDir, file);
      const { stdout } = await attempt(['git', 'diff', '--no-index', '--unified=0', was, is], { phase, timeoutMs: checkTimeoutMs });
      own.set(file, ownLines(readFileSync(is, 'utf8'), stdout));
    }
    if (own.get(file ?? '')?.has(Number(line)) ?? true) found.push(warning);
  }
  return found;
}

async function moduleWarnings(kernel: KernelBuild, moduleDir: string, shown: string): Promise<string[]> {
  const copy = temporaryFolder('style-module-');
  try {
    cpSync(moduleDir, copy, { recursive: true });
    return await make(['-C', kernel.buildDir, `M=${copy}`, 'CONFIG_BLKSNAP_KUNIT_TEST=m', 'W=1', 'C=2', 'modules'], [copy], shown);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

async function testModuleWarnings(root: string, kernel: KernelBuild): Promise<string[]> {
  const found: string[] = [];
  const kbuilds = (await repositoryFiles(root)).filter((file) => /^suites\/.*\/Kbuild$/.test(file));
  for (const dir of kbuilds.map((file) => `${dirname(file)}/`)) found.push(...await moduleWarnings(kernel, join(root, dir), dir));
  return found;
}

/** What make says beyond silence, with the given folders shown as `shown`. */
async function make(args: readonly string[], folders: readonly string[], shown: string): Promise<string[]> {
  const { output, exitCode } = await attempt(['make', '-s', ...args], { phase, timeoutMs: buildTimeoutMs });
  const named = folders.reduce((text, folder) => text.replaceAll(`${folder}/`, shown), output);
  const lines = named.split('\n').filter((line) => line.trim() !== '');
  return exitCode === 0 ? lines : [...lines, `make ended with ${exitCode}`];
}

/** The interface the kernel offers and the copy that the module and the tools build against are one. */
function uapiSync(root: string, sourceDir: string): string[] {
  const header = 'include/uapi/linux/blk-filter.h';
  const kernelText = readFileSync(join(sourceDir, header), 'utf8');
  return readFileSync(join(root, 'module', header), 'utf8') === kernelText
    ? [] : [`module/${header} is not what the patches add as ${header}`];
}

/** Files that still exist after the patches, named by their `+++` lines. */
export function touchedFiles(patches: readonly string[]): string[] {
  const names = patches.flatMap((text) => [...text.matchAll(/^\+\+\+ b\/(.+)$/gm)].map((match) => match[1] ?? ''));
  return [...new Set(names)].filter((name) => name !== '').sort();
}
