/** A second of the guest is a second of the host: else deadlines in the guest, and its own watchers, tell lies.
 *  Method: the guest's clock is read twice, each time between two looks at the host's. A restored guest has the clock of
 *  the boot that its checkpoint was made from. */
import { test } from '../fixtures/index.js';
import { doomedLab } from './guests.js';
import { expectPaceOfHost } from './pace.js';

test('the guest\'s clock goes as the host\'s', async ({ settings, onTestFinished }) => {
  await expectPaceOfHost(await doomedLab({ settings, onTestFinished }));
});
