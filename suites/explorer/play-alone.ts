/** One sequence in a restored guest of its own: for what the explorer has found. */
import type { Lab, LabOptions } from '../fixtures/lab.js';
import { clearStage, explorerLab, setStage } from './machine.js';
import { play } from './play.js';
import type { Sequence } from './steps.js';

export async function playAlone(lab: (options: LabOptions) => Promise<Lab>, sequence: Sequence): Promise<void> {
  const needsFolder = sequence.steps.some((step) => step.do === 'create' && step.storage === 'ext4');
  const stage = await setStage(await lab(explorerLab), needsFolder);
  await play(stage, sequence);
  await clearStage(stage);
}
