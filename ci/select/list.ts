/** --list: suites, files and tests with the spec ids they prove. */
import type { Selection } from './select.js';

export function listText({ tests, broken }: Selection): string {
  const lines: string[] = [];
  let suite = '';
  let file = '';
  for (const test of [...tests].sort((a, b) => a.suite.localeCompare(b.suite))) {
    if (test.suite !== suite) lines.push(`${(suite = test.suite)} (${tests.filter((one) => one.suite === suite).length} tests)`);
    if (test.file !== file) lines.push(`  ${(file = test.file)}`);
    lines.push(`    ${test.name}${test.specIds.length > 0 ? `  [${test.specIds.join(' ')}]` : ''}`);
  }
  for (const one of broken) lines.push(`does not load: ${one.file}: ${one.error}`);
  lines.push(`${tests.length} tests`);
  return lines.join('\n');
}

export function listJson({ tests, broken }: Selection): string {
  const plain = tests.map(({ suite, file, name, specIds }) => ({ suite, file, name, specIds }));
  return JSON.stringify({ tests: plain, broken: broken.map(({ file, error }) => ({ file, error })) });
}
