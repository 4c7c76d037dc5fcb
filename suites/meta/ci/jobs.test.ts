/** The CI definitions are right, and a mistake in one is found. Method: the real ones, with one thing broken each. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { checkDefinition, checkJobs, jobFiles } from '../../../ci/checks/jobs.js';
import { temporaryTree } from './temporary-tree.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const { github, gitlab } = jobFiles;

test('the definitions have no findings', () => {
  expect(checkJobs(root)).toEqual([]);
});

describe('a broken definition is found:', () => {
  test.for([
    [github, 'jobs:\n', 'jobs:\n  gate:\n', 'Map keys must be unique'],
    [github, 'runs-on: ubuntu-24.04', 'runs_on: ubuntu-24.04', 'must have required property \'runs-on\''],
    [github, 'fail-fast: false', 'fail-fast: 0', '/jobs/gate/strategy/fail-fast must be boolean'],
    [github, 'timeout-minutes: 120', 'timeout-minutes: never', '/jobs/gate/timeout-minutes must be integer'],
    [github, 'actions/cache@v4.2.3', 'somebody/cache@v4.2.3', 'must match pattern'],
    [github, 'actions/cache@v4.2.3', 'actions/cache@main', 'must match pattern'],
    [github, '- run: npm test', '- script: npm test', 'must have required property \'run\''],
    [github, "cron: '17 2 * * *'", "cron: '17 2 * *'", '/on/schedule/0/cron must match pattern'],
    [github, 'npm test -- --shard', 'npm test -- --shards', 'unknown option --shards: did you mean --shard?'],
    [github, 'explore --minutes', 'explore --minuets', 'unknown option --minuets: '],
    [github, 'npm start -- merge shards/', 'npm start -- merge', 'merge takes the reports of all shards'],
    [github, 'npm start -- merge shards/', 'npm run merge', '"npm run merge" is not npm start or npm test'],
    [github, 'shard: [1, 2, 3]', 'shard: [1, 2]', 'gate: not every shard of 3 runs'],
    [github, '--shard ${{ matrix.shard }}/3', '--shard ${{ matrix.shard }}/4', 'gate: not every shard of 4 runs'],
    [github, ' --seed ${{ github.run_number }}', '', 'gate: shards without --seed have the same seed in every run'],
    [github, '        if: ${{ !cancelled() }}\n        with:\n          name: results-${{ matrix', '        with:\n          name: results-${{ matrix', 'gate: its results are not kept'],
    [github, 'needs: gate', 'needs: gates', 'merge: needs "gates", which is no job'],
    [gitlab, 'parallel: 3', 'paralel: 3', '/gate must NOT have additional properties'],
    [gitlab, '  parallel: 3\n', '', 'gate: not every shard'],
    [gitlab, '$CI_NODE_INDEX/$CI_NODE_TOTAL', '$CI_NODE_INDEX/2', 'gate: not every shard of 2 runs'],
    [gitlab, ' --shard $CI_NODE_INDEX/$CI_NODE_TOTAL', '', 'gate: runs several times, but not in shards'],
    [gitlab, 'expire_in: 30 days', 'expire_in: some day', 'must match pattern'],
    [gitlab, '    when: always\n    expire_in', '    when: on_success\n    expire_in', 'its results are not kept when it fails'],
    [gitlab, '.results:', '.result:', 'gate: extends ".results", which is not there'],
    [gitlab, 'stages: [test, report]', 'stages: [test]', 'merge: stage "report" is not in stages'],
    [gitlab, '--repeat 5', '--repeat many', '--repeat takes a whole number'],
    [gitlab, 'stage: test', 'stage: [test', 'expected YAML'],
  ] as const)('%o with %j as %j', ([{ file, schema }, from, to, message]) => {
    const text = read(file);
    expect(text).toContain(from);
    expect(checkDefinition(file, text.replace(from, to), read(schema)).join('\n')).toContain(message);
  });

  test('a copy for GitHub that differs, and a GitLab file that includes nothing of ours', () => {
    const files = [github, gitlab].flatMap(({ file, schema, shim }) => [file, schema, shim]);
    const tree = temporaryTree(Object.fromEntries(files.map((file) => [file, file === github.shim ? `${read(file)}# more\n` : read(file)])));
    expect(checkJobs(tree)).toEqual([`${github.shim}: differs from ${github.file}, which is the true one: copy it there`]);
    const other = temporaryTree(Object.fromEntries(files.map((file) => [file, file === gitlab.shim ? 'include:\n  - local: other.yml\n' : read(file)])));
    expect(checkJobs(other)).toEqual([`${gitlab.shim}: does not include ${gitlab.file}`]);
  });
});
