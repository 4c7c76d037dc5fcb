/** The CI definitions: each fits its schema, calls us with words that our own command line takes, in shards that are all
 *  there, keeps its results when it fails, and stands where its system looks for it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { ConfigError, readYaml } from '../../vm/index.js';
import { parseCli } from '../cli/args.js';
import { parseExploreCli } from '../explore/options.js';
import { parseMutantsCli } from '../mutants/options.js';

export const jobFiles = {
  github: { file: 'ci/jobs/github.yml', schema: 'ci/jobs/github.schema.json', shim: '.github/workflows/suite.yml' },
  gitlab: { file: 'ci/jobs/gitlab.yml', schema: 'ci/jobs/gitlab.schema.json', shim: '.gitlab-ci.yml' },
} as const;

/** Findings over the definitions below `root`. */
export function checkJobs(root: string): string[] {
  const read = (file: string) => readFileSync(join(root, file), 'utf8');
  const { github, gitlab } = jobFiles;
  return [
    ...checkDefinition(github.file, read(github.file), read(github.schema)),
    ...checkDefinition(gitlab.file, read(gitlab.file), read(gitlab.schema)),
    ...checkDefinition(gitlab.shim, read(gitlab.shim), read(gitlab.schema)),
    ...(read(github.shim) === read(github.file) ? [] : [`${github.shim}: differs from ${github.file}, which is the true one: copy it there`]),
    ...(read(gitlab.shim).includes(`local: ${gitlab.file}\n`) ? [] : [`${gitlab.shim}: does not include ${gitlab.file}`]),
  ];
}

export function checkDefinition(file: string, text: string, schemaText: string): string[] {
  const ajv = new Ajv({ allErrors: true, strict: true, allowUnionTypes: true });
  const validate = ajv.compile(JSON.parse(schemaText) as object);
  let value: unknown;
  try {
    value = readYaml(text, file).contents?.toJSON();
  } catch (error) {
    if (error instanceof ConfigError) return [error.message];
    throw error;
  }
  if (!validate(value)) {
    return (validate.errors ?? []).map(({ instancePath, message, params }) => `${file}: ${instancePath || '/'} ${message} ${JSON.stringify(params)}`);
  }
  const jobs = jobsOf(value);
  return [
    ...jobs.flatMap(({ name, job, commands }) => [
      ...commands.flatMap((command) => checkCommand(`${file}: ${name}`, command)),
      ...checkShards(`${file}: ${name}`, job, commands),
      ...(commands.length > 0 && !keepsResults(job, value) ? [`${file}: ${name}: its results are not kept when it fails`] : []),
    ]),
    ...references(file, value, jobs.map(({ name }) => name)),
  ];
}

interface Job {
  readonly name: string;
  readonly job: Record<string, unknown>;
  /** Lines that it runs in a shell. */
  readonly commands: readonly string[];
}

const gitlabWords = new Set(['include', 'default', 'variables', 'stages']);

function jobsOf(definition: unknown): Job[] {
  const whole = definition as Record<string, Record<string, unknown>>;
  const jobs = 'jobs' in whole ? Object.entries(whole['jobs'] as Record<string, Record<string, unknown>>)
    : Object.entries(whole).filter(([name]) => !gitlabWords.has(name) && !name.startsWith('.'));
  return jobs.map(([name, job]) => {
    const lines = (job['script'] as string[] | undefined) ?? stepsOf(job).flatMap(({ run }) => run ?? []);
    return { name, job, commands: lines.flatMap((line) => line.split('\n')).filter((line) => line.trim() !== '') };
  });
}

interface Step {
  readonly run?: string;
  readonly uses?: string;
  readonly if?: string;
}

function stepsOf(job: Record<string, unknown>): Step[] {
  return (job['steps'] as Step[] | undefined) ?? [];
}

/** A call of ours is taken by our own command line; what the CI system puts in is a number. */
function checkCommand(where: string, command: string): string[] {
  const words = command.replace(/\$\{\{[^}]*\}\}|\$\w+/g, '1').split(/\s+/);
  const [npm, script, dashes, ...argv] = words;
  if (npm !== 'npm') return [];
  if (!['start', 'test'].includes(script ?? '') || (dashes !== undefined && dashes !== '--')) return [`${where}: "${command}" is not npm start or npm test`];
  try {
    if (argv[0] === 'mutants') parseMutantsCli(argv.slice(1));
    else if (argv[0] === 'explore') parseExploreCli(argv.slice(1));
    else parseCli(argv);
    return [];
  } catch (error) {
    return [`${where}: "${command}": ${(error as Error).message}`];
  }
}

/** GitHub counts its shards in a list, GitLab in `parallel`. */
function checkShards(where: string, job: Record<string, unknown>, commands: readonly string[]): string[] {
  const [, index, count] = commands.map((command) => /--shard (.+?)\/(\S+)/.exec(command)).find((match) => match !== null) ?? [];
  const matrix = (job['strategy'] as { matrix?: { shard?: number[] } } | undefined)?.matrix?.shard;
  const isSplit = matrix !== undefined || job['parallel'] !== undefined;
  if (count === undefined) return isSplit ? [`${where}: runs several times, but not in shards`] : [];
  const expected = Array.from({ length: Number(count) }, (_, at) => at + 1);
  const isWhole = matrix === undefined ? job['parallel'] !== undefined && index === '$CI_NODE_INDEX' && count === '$CI_NODE_TOTAL'
    : index === '${{ matrix.shard }}' && matrix.join() === expected.join();
  const hasSeed = commands.every((command) => !command.includes('--shard') || command.includes('--seed '));
  return [
    ...(isWhole ? [] : [`${where}: not every shard of ${count} runs`]),
    ...(hasSeed ? [] : [`${where}: shards without --seed have the same seed in every run`]),
  ];
}

function keepsResults(job: Record<string, unknown>, definition: unknown): boolean {
  const steps = stepsOf(job);
  if (steps.length > 0) return steps.some((step) => step.uses?.startsWith('actions/upload-artifact@') && step.if === '${{ !cancelled() }}');
  const parts = [job, ...((job['extends'] as string[] | undefined) ?? []).map((name) => (definition as Record<string, Record<string, unknown>>)[name])];
  return parts.some((part) => (part?.['artifacts'] as { when?: string } | undefined)?.when === 'always');
}

/** Names of other jobs, templates and stages that a definition uses are there. */
function references(file: string, definition: unknown, jobs: readonly string[]): string[] {
  const whole = definition as Record<string, unknown>;
  const stages = whole['stages'] as string[] | undefined;
  return jobsOf(definition).flatMap(({ name, job }) => {
    const needed = [job['needs'] ?? []].flat() as string[];
    const templates = (job['extends'] as string[] | undefined) ?? [];
    const stage = job['stage'] as string | undefined;
    return [
      ...needed.filter((one) => !jobs.includes(one)).map((one) => `${file}: ${name}: needs "${one}", which is no job`),
      ...templates.filter((one) => !(one in whole)).map((one) => `${file}: ${name}: extends "${one}", which is not there`),
      ...(stage !== undefined && !stages?.includes(stage) ? [`${file}: ${name}: stage "${stage}" is not in stages`] : []),
    ];
  });
}
