/** The module's pure parts do what their headers say, case by case.
 *  Method: the KUnit tables in the sources say which cases there are; each suite is run in a guest, and each case is a
 *  test here. A case that crashes its guest fails, and those behind it do too. */
import { expect, test } from '../fixtures/index.js';
import { buildKunitModule, kunitTests } from '../fixtures/kunit.js';
import { readKunitSuites, type KunitSuite } from '../fixtures/kunit-table.js';
import { moduleFolder, ourModule } from '../fixtures/settings.js';

const { dir, isOurs } = moduleFolder();
const { own, skipReason } = suitesOf();

/** Of another module than ours, tests that are not there, or are written in a way of its own, are no failure. */
function suitesOf(): { own: KunitSuite[]; skipReason: string | undefined } {
  try {
    const found = readKunitSuites(dir);
    return { own: found, skipReason: isOurs || found.length > 0 ? undefined : `${dir} brings no KUnit tests` };
  } catch (error) {
    if (isOurs) throw error;
    return { own: [], skipReason: `the KUnit tests cannot be read: ${(error as Error).message}` };
  }
}

test('the module brings KUnit tests', ({ skip }) => {
  if (skipReason !== undefined) skip(skipReason);
  expect(own.map(({ name }) => name)).not.toEqual([]);
});

for (const suite of own.length === 0 ? readKunitSuites(ourModule) : own) {
  kunitTests(suite, ({ kernel }) => buildKunitModule(kernel, dir), skipReason);
}
