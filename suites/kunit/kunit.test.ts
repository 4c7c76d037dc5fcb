/** The module's pure parts do what their headers say, case by case.
 *  Method: the KUnit tables in the sources say which cases there are; each suite is run in a guest, and each case is a
 *  test here. A case that crashes its guest fails, and those behind it do too. */
import { expect, test } from '../fixtures/index.js';
import { buildKunitModule, kunitTests } from '../fixtures/kunit.js';
import { readKunitSuites } from '../fixtures/kunit-table.js';
import { moduleFolder, ourModule } from '../fixtures/settings.js';

const { dir, isOurs } = moduleFolder();
const own = readKunitSuites(dir);
const hasNone = own.length === 0;
const skipReason = hasNone && !isOurs ? `${dir} brings no KUnit tests` : undefined;

test('the module brings KUnit tests', ({ skip }) => {
  if (skipReason !== undefined) skip(skipReason);
  expect(own.map(({ name }) => name)).not.toEqual([]);
});

for (const suite of hasNone ? readKunitSuites(ourModule) : own) {
  kunitTests(suite, ({ kernel }) => buildKunitModule(kernel, dir), skipReason);
}
