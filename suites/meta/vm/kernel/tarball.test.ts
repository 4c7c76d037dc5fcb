/** A tarball is used only when it is what its hash says. Method: files and a server of our own. */
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SourceError } from '../../../../vm/errors.js';
import { fetchTarball } from '../../../../vm/kernel/tarball.js';

const content = 'a kernel';
const sha256 = createHash('sha256').update(content).digest('hex');
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tarball-test-'));
  await writeFile(join(dir, 'linux.tar'), content);
});

afterEach(() => rm(dir, { recursive: true, force: true }));

test('a path is used where it lies', async () => {
  expect(await fetchTarball(join(dir, 'linux.tar'), sha256, dir)).toBe(join(dir, 'linux.tar'));
});

test('another hash is refused, and told', async () => {
  await expect(fetchTarball(join(dir, 'linux.tar'), 'b'.repeat(64), dir)).rejects.toThrow(`its SHA-256 is ${sha256}, expected bbb`);
});

test('a missing file speaks against the rig', async () => {
  await expect(fetchTarball(join(dir, 'none.tar'), sha256, dir)).rejects.toMatchObject({ blame: 'rig', code: 'ESOURCE' });
});

test('a URL is downloaded, and a server that refuses is named', async () => {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/linux-6.12.tar.xz' ? 200 : 404;
    response.end(response.statusCode === 200 ? content : undefined);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  try {
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const path = await fetchTarball(`${base}/linux-6.12.tar.xz`, sha256, dir);
    expect(await readFile(path, 'utf8')).toBe(content);
    const refused = fetchTarball(`${base}/gone.tar`, sha256, dir);
    await expect(refused).rejects.toBeInstanceOf(SourceError);
    await expect(refused).rejects.toThrow('the server answered 404');
  } finally {
    server.close();
  }
});
