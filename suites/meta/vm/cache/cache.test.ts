/** The cache holds whole entries only, one run makes each, and what is old goes. Method: real folders, real locks. */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cacheFolder, contentKey } from '../../../../vm/cache/folder.js';
import { withLock } from '../../../../vm/cache/lock.js';
import { outdated } from '../../../../vm/cache/prune.js';
import { leftBy, makeEntry } from '../../../../vm/cache/temporary.js';
import { sleep } from '../../../../vm/units.js';

let dir: string;
const before = process.env['BLKSNAP_SUITE_CACHE'];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cache-test-'));
  process.env['BLKSNAP_SUITE_CACHE'] = dir;
});

afterEach(async () => {
  if (before === undefined) delete process.env['BLKSNAP_SUITE_CACHE'];
  else process.env['BLKSNAP_SUITE_CACHE'] = before;
  await rm(dir, { recursive: true, force: true });
});

test.for([
  [{ BLKSNAP_SUITE_CACHE: '/a', XDG_CACHE_HOME: '/b' }, '/a'],
  [{ XDG_CACHE_HOME: '/b' }, '/b/blksnap-suite'],
] as const)('%j puts the cache into %s', ([env, path]) => {
  expect(cacheFolder(env)).toBe(path);
});

test('parts that join to the same text have different keys', () => {
  expect(contentKey('ab', 'c')).not.toBe(contentKey('a', 'bc'));
});

test('an entry whose making fails never gets its name', async () => {
  const path = join(dir, 'entry');
  await expect(makeEntry(path, async (temporary) => {
    await writeFile(temporary, 'half');
    throw new Error('no');
  })).rejects.toThrow('no');
  expect(await readdir(dir)).toEqual([]);
});

test('what a run that is gone left half-made is removed by the next', async () => {
  const stale = join(dir, `other.tmp-${hostname()}-999999999-1`);
  const foreign = join(dir, 'other.tmp-elsewhere-999999999-1');
  await writeFile(stale, '');
  await writeFile(foreign, '');
  await makeEntry(join(dir, 'entry'), (temporary) => writeFile(temporary, 'whole'));
  expect((await readdir(dir)).sort()).toEqual(['entry', 'other.tmp-elsewhere-999999999-1']);
});

test('only names of temporary entries name a process', () => {
  expect(leftBy('k.tmp-host-a-12-3', 'host-a')).toBe(12);
  expect(leftBy('k.tmp-host-a-12-3', 'host')).toBeUndefined();
  expect(leftBy('k', 'host-a')).toBeUndefined();
});

test('two who want one lock take turns', async () => {
  const order: string[] = [];
  const work = (name: string): Promise<void> => withLock('test', {}, async () => {
    order.push(`${name} in`);
    await sleep(150);
    order.push(`${name} out`);
  });
  await Promise.all([work('a'), work('b')]);
  expect(order.map((step) => step.slice(2))).toEqual(['in', 'out', 'in', 'out']);
  expect(existsSync(join(dir, 'locks', 'test.lock'))).toBe(true);
});

test('old entries go, but the newest stay however old they are', () => {
  const day = 86_400_000;
  const entries = [{ name: 'old', usedMs: 1 * day }, { name: 'older', usedMs: 0 }, { name: 'new', usedMs: 99 * day }];
  expect(outdated(entries, 1, 100 * day).sort()).toEqual(['old', 'older']);
  expect(outdated(entries, 2, 100 * day)).toEqual(['older']);
});
