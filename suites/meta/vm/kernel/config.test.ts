/** A wish that Kconfig does not grant is told by file and line. Method: fragments and final configurations, pure. */
import { expect, test } from 'vitest';
import { ConfigError } from '../../../../vm/errors.js';
import { checkConfig, mergedConfig } from '../../../../vm/kernel/config.js';

const base = { path: 'base.config', text: '# About\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_N=2\n' };
const fast = { path: 'fast.config', text: 'CONFIG_B=m\n' };

test('a later fragment overrides an earlier one', () => {
  expect(mergedConfig([base, fast])).toBe('CONFIG_A=y\nCONFIG_B=m\nCONFIG_N=2\n');
});

test('a configuration that grants all is accepted', () => {
  expect(() => checkConfig([base, fast], 'CONFIG_A=y\nCONFIG_B=m\nCONFIG_N=2\nCONFIG_Z=y\n')).not.toThrow();
});

test('a refused wish names the line that made it', () => {
  expect(() => checkConfig([base, fast], 'CONFIG_A=y\nCONFIG_N=2\n')).toThrow(/^fast\.config:1: expected CONFIG_B=m to be possible/);
});

test('something selected against our wish is told as well', () => {
  expect(() => checkConfig([base], 'CONFIG_A=y\nCONFIG_B=y\nCONFIG_N=2\n')).toThrow(/^base\.config:3: expected CONFIG_B=n/);
});

test('a filter symbol that the series does not bring is passed over', () => {
  expect(() => checkConfig([{ path: 'x', text: 'CONFIG_BLK_FILTER=y\n' }], '')).not.toThrow();
});

test('a line that says nothing is refused', () => {
  expect(() => mergedConfig([{ path: 'x', text: '\nCONFIG_A\n' }])).toThrow(ConfigError);
});
