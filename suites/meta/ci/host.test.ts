/** What the host lacks is found and named as one command. Method: plans are pure; files are made up in a folder. */
import { copyFileSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { commandToType, packagesFor } from '../../../ci/host/install.js';
import { findNeed, hostNeeds, isStatic, missingNeeds, type Need } from '../../../ci/host/needs.js';
import { temporaryTree } from './temporary-tree.js';

afterEach(() => {
  vi.unstubAllEnvs();
});

const need = (over: Partial<Need>): Need => ({ name: 'x', why: 'y', apt: 'x-deb', dnf: 'x-rpm', pacman: 'x-arch', ...over });

test('a need is met by a program in PATH, and missing without it', () => {
  const folder = temporaryTree({ 'blksnap-no-such-program': '#!/bin/sh\n' });
  const wanted = need({ command: 'blksnap-no-such-program' });
  expect(missingNeeds([wanted])).toEqual([wanted]);
  vi.stubEnv('PATH', folder);
  expect(findNeed(wanted)).toBeUndefined(); // there, but not executable
  chmodSync(join(folder, 'blksnap-no-such-program'), 0o755);
  expect(findNeed(wanted)).toBe(join(folder, 'blksnap-no-such-program'));
});

test('a folder in PATH that is a file or cannot be looked into is passed over', () => {
  const folder = temporaryTree({ file: '', 'blksnap-program': '' });
  chmodSync(join(folder, 'blksnap-program'), 0o755);
  vi.stubEnv('PATH', `${join(folder, 'file')}:/proc/1/root/bin:${folder}`);
  expect(findNeed(need({ command: 'blksnap-program' }))).toBe(join(folder, 'blksnap-program'));
});

test('a program that needs shared libraries does not count as static', () => {
  const folder = temporaryTree();
  copyFileSync('/bin/sh', join(folder, 'blksnap-shell'));
  vi.stubEnv('PATH', folder);
  expect(isStatic('/bin/sh')).toBe(false);
  expect(findNeed(need({ command: 'blksnap-shell' }))).toBeDefined();
  expect(findNeed(need({ command: 'blksnap-shell', static: true }))).toBeUndefined();
});

test('a header that is nowhere is missing', () => {
  expect(missingNeeds([need({ files: ['blksnap-no-such-header.h'] })])).toHaveLength(1);
});

describe('the one command to type', () => {
  const two = [need({ apt: 'b', dnf: 'b' }), need({ apt: 'a' }), need({ apt: 'b' })];

  test.for([
    ['apt', false, 'sudo apt-get update && sudo apt-get install -y --no-install-recommends a b'],
    ['apt', true, 'apt-get update && apt-get install -y --no-install-recommends a b'],
    ['dnf', false, 'sudo dnf install -y b x-rpm'],
    ['pacman', true, 'pacman -S --needed --noconfirm x-arch'],
  ] as const)('with %s, root %s', ([manager, isRoot, expected]) => {
    expect(commandToType(two, manager, isRoot)).toBe(expected);
  });

  test('every need has a package for every manager that it is required under', () => {
    for (const one of hostNeeds) {
      for (const manager of ['apt', 'dnf', 'pacman'] as const) {
        if (one.optional && one[manager] === undefined) continue;
        expect(packagesFor([one], manager)[0]).toMatch(/^[a-z0-9.+-]+$/);
      }
      expect(one.command !== undefined || (one.files ?? []).length > 0).toBe(true);
    }
  });
});
