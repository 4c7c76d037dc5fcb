/** Kernel style: checkpatch, compiler warnings (W=1) and sparse (C=2) on our patches and module. Silent means passed. */
import { cpSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { attempt, temporaryFolder, type KernelBuild } from '../../vm/index.js';
import type { Check } from './check.js';
import { repositoryFiles } from './files.js';

const buildTimeoutMs = 600_000;
const phase = 'kernel style';

export function kernelChecks(root: string, kernel: KernelBuild, moduleDir: string): Check[] {
  return [
    { name: 'checkpatch', repeat: 'npm test', run: (tell) => checkpatch(root, kernel, tell) },
    { name: 'W=1 and sparse on the patched files', repeat: 'npm test', run: (tell) => patchedFiles(root, kernel, tell) },
    { name: 'W=1 and sparse on the module', repeat: 'npm test', run: () => moduleWarnings(kernel, moduleDir) },
    { name: 'uapi headers agree', repeat: 'npm test', run: () => Promise.resolve(uapiSync(root, kernel)) },
  ];
}

/** The kernel's own checkpatch, as strict as it gets, one run per patch and per module source. */
async function checkpatch(root: string, kernel: KernelBuild, tell: (detail: string) => void): Promise<string[]> {
  const sources = (await repositoryFiles(root)).filter((file) => /^module\/(?!tool\/).*\.[ch]$/.test(file));
  const found: string[] = [];
  for (const file of [...patchFiles(root, kernel), ...sources]) {
    tell(file);
    const kind = file.endsWith('.patch') ? [] : ['--file'];
    const argv = ['perl', join(kernel.sourceDir, 'scripts/checkpatch.pl'), '--root', kernel.sourceDir, '--strict',
      '--no-summary', '--terse', '--show-types', '--color=never', ...kind, join(root, file)];
    const { output, exitCode } = await attempt(argv, { phase, timeoutMs: 120_000, cwd: kernel.sourceDir });
    const lines = output.split('\n').filter((line) => line.trim() !== '').map((line) => line.replace(`${root}/`, '').replace(root, ''));
    found.push(...lines);
    if (exitCode !== 0 && lines.length === 0) found.push(`${file}: checkpatch ended with ${exitCode}`);
  }
  return found;
}

/** Compiles the touched C files again with warnings and sparse, in a copy of the build, whose own objects stay as they are. */
async function patchedFiles(root: string, kernel: KernelBuild, tell: (detail: string) => void): Promise<string[]> {
  const objects = touchedFiles(patchFiles(root, kernel).map((file) => readFileSync(join(root, file), 'utf8')))
    .filter((file) => file.endsWith('.c')).map((file) => file.replace(/\.c$/, '.o'));
  if (objects.length === 0) return ['the patches touch no C file'];
  const copy = temporaryFolder('style-kernel-');
  try {
    tell('copying the build');
    cpSync(kernel.buildDir, copy, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    objects.forEach((object) => rmSync(join(copy, object), { force: true }));
    tell(objects.join(' '));
    return await make(['-C', kernel.sourceDir, `O=${copy}`, 'W=1', 'C=2', ...objects]);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

async function moduleWarnings(kernel: KernelBuild, moduleDir: string): Promise<string[]> {
  const copy = temporaryFolder('style-module-');
  try {
    cpSync(moduleDir, copy, { recursive: true });
    return await make(['-C', kernel.buildDir, `M=${copy}`, 'W=1', 'C=2', 'modules']);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

async function make(args: readonly string[]): Promise<string[]> {
  const { output, exitCode } = await attempt(['make', '-s', ...args], { phase, timeoutMs: buildTimeoutMs });
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  return exitCode === 0 ? lines : [...lines, `make ended with ${exitCode}`];
}

/** The interface the kernel offers and the copy that the module and the tools build against are one. */
function uapiSync(root: string, kernel: KernelBuild): string[] {
  const header = 'include/uapi/linux/blk-filter.h';
  const kernelText = readFileSync(join(kernel.sourceDir, header), 'utf8');
  return readFileSync(join(root, 'module', header), 'utf8') === kernelText
    ? [] : [`module/${header} is not what the patches add as ${header}`];
}

function patchFiles(root: string, kernel: KernelBuild): string[] {
  const folder = join('kernel-patches', kernel.line);
  return readdirSync(join(root, folder)).filter((name) => name.endsWith('.patch')).sort().map((name) => join(folder, basename(name)));
}

/** Files that still exist after the patches, named by their `+++` lines. */
export function touchedFiles(patches: readonly string[]): string[] {
  const names = patches.flatMap((text) => [...text.matchAll(/^\+\+\+ b\/(.+)$/gm)].map((match) => match[1] ?? ''));
  return [...new Set(names)].filter((name) => name !== '').sort();
}
