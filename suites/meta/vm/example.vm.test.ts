/** The example does what it says, on a guest without the module. Method: run it. */
import { failEachWrite } from '../../../vm/example.js';
import { expect, test } from '../../fixtures/index.js';

test('the example of guests and faults fails each write of dd once, and dd says so each time', async ({ settings }) => {
  const points = await failEachWrite(settings.kernel);
  expect(points.map(({ point, verdict }) => [point, verdict])).toEqual([1, 2, 3, 4].map((nth) => [`write ${nth}`, 'exit code 1']));
  expect(new Set(points.map(({ hit }) => hit)).size).toBe(4);
});
