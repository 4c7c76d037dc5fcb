/** The tables of cases in C are read as the compiler does, and one that cannot be read is an error.
 *  Method: small sources, and the module's own. */
import { expect, test } from 'vitest';
import { ourModule } from '../../fixtures/settings.js';
import { parseKunitSuites, readKunitSuites } from '../../fixtures/kunit-table.js';

const suite = 'static struct kunit_suite x_suite = {\n\t.name = "x",\n\t.test_cases = x_cases,\n};\n';
const table = (body: string): string => `static struct kunit_case x_cases[] = {\n${body}\t{}\n};\n`;

test('cases come in the order of the table, with the ids above them', () => {
  const source = table('\t/* CBT-01 COW-02 */\n\tKUNIT_CASE(one),\n\tKUNIT_CASE_PARAM(two,\n\t\t\t two_gen_params),\n\t/* about three */\n'
    + '\tKUNIT_CASE_SLOW(three),\n\t/* EVT-01 */\n\tKUNIT_CASE(four),\n');
  expect(parseKunitSuites(source + suite, 'x_kunit.c')).toEqual([{
    name: 'x',
    cases: [
      { name: 'one', specIds: ['CBT-01', 'COW-02'] }, { name: 'two', specIds: ['CBT-01', 'COW-02'] },
      { name: 'three', specIds: ['CBT-01', 'COW-02'] }, { name: 'four', specIds: ['EVT-01'] },
    ],
  }]);
});

test.for([
  ['a case outside the tables', `${table('\tKUNIT_CASE(one),\n')}${suite}#define MORE KUNIT_CASE(two)\n`, '2 KUNIT_CASE, but 1'],
  ['a suite without a table', suite, 'no table'],
  ['a table without a suite', table('\tKUNIT_CASE(one),\n'), '1 KUNIT_CASE, but 0'],
  ['a suite without a name', `${table('\tKUNIT_CASE(one),\n')}${suite.replace('.name', '.label')}`, 'without .name'],
] as const)('%s is an error that names the file', ([, source, message]) => {
  expect(() => parseKunitSuites(source, 'x_kunit.c')).toThrow(new RegExp(`^x_kunit\\.c: .*${message}`));
});

test('each of our cases has a name of its own in its suite, says what should be, and proves something', () => {
  const suites = readKunitSuites(ourModule);
  expect(suites.length).toBeGreaterThan(0);
  for (const { name, cases } of suites) {
    expect(new Set(cases.map((one) => one.name)).size, name).toBe(cases.length);
    expect(cases.filter((one) => !one.name.includes('_should_') || one.specIds.length === 0), name).toEqual([]);
  }
});
