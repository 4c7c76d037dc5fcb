/** A sequence as text that people read, and as a test to be committed. Pure. */
import type { Range, Sequence, Step } from './steps.js';

const range = ({ at, count }: Range): string => (count === 1 ? `sector ${at}` : `sectors ${at} to ${at + count - 1}`);

export function sentence(step: Step): string {
  switch (step.do) {
    case 'write': return `write ${range(step)} of device ${step.dev}, ${step.mode}`;
    case 'zero': return `zero ${range(step)} of device ${step.dev}`;
    case 'discard': return `discard ${range(step)} of device ${step.dev}`;
    case 'threads': return `at the same time: ${step.ops.map(sentence).join('; ')}`;
    case 'attach': return `attach device ${step.dev}`;
    case 'detach': return `detach device ${step.dev}`;
    case 'create': {
      const where = { block: 'the block device', tmpfs: `a tmpfs of ${step.room} KiB`, ext4: 'a file on ext4' }[step.storage];
      return `create snapshot ${step.slot}, up to ${step.limit} sectors on ${where}`;
    }
    case 'add': return `add device ${step.dev} to snapshot ${step.slot}`;
    case 'take': return `take snapshot ${step.slot}`;
    case 'destroy': return `destroy snapshot ${step.slot}`;
    case 'event': return `ask for an event of snapshot ${step.slot}`;
    case 'collect': return `collect the snapshots, with room for ${step.room}`;
    case 'image-read': return `read ${range(step)} of the image of device ${step.dev} in snapshot ${step.slot}, ${step.mode}`;
    case 'image-write': return `write ${range(step)} of the image of device ${step.dev} in snapshot ${step.slot}`;
    case 'map': return `read ${step.length} blocks of the map of device ${step.dev} from ${step.offset} on`;
    case 'mark': return `mark ${step.ranges.map(range).join(' and ')} of device ${step.dev} by hand`;
    case 'remove': return 'remove the partition, device 2';
    case 'return': return 'bring the partition back, device 2';
    case 'resize': return `resize the partition, device 2, to ${step.size} sectors`;
    case 'reload': return 'reload the module';
    case 'rounds': return `take and destroy ${step.count} snapshots of device ${step.dev}, one after the other`;
    case 'check': return 'check all devices and images';
  }
}

export function scriptLines({ params, steps }: Sequence): string[] {
  const chunk = `${2 ** params.chunkShift / 1024} KiB`;
  const block = `${2 ** params.blockShift / 1024} KiB`;
  return [
    `chunks of ${chunk}, blocks of ${block}, storage that grows by ${params.portion} sectors`,
    ...steps.map((step, index) => `${String(index + 1).padStart(3)}. ${sentence(step)}`),
  ];
}

/** `number` is the sequence's, by which it can be made again. */
export function testFile(sequence: Sequence, number: number, message: string): string {
  const comment = [`Found by the explorer, sequence ${number}: ${firstLine(message)}`, '', ...scriptLines(sequence)];
  const steps = sequence.steps.map((step) => `  ${literal(step)},`);
  return [
    '/**', ...comment.map((line) => ` * ${line}`.replaceAll('*/', '* /').trimEnd()), ' */',
    "import { test } from '../../fixtures/index.js';",
    "import { playAlone } from '../play-alone.js';",
    "import type { Step } from '../steps.js';",
    '',
    'const steps: readonly Step[] = [', ...steps, '];',
    '',
    `test('sequence ${number} of the explorer goes as the model says', { meta: { spec: ['CBT-11'] } }, async ({ lab }) => {`,
    `  await playAlone(lab, { params: ${literal(sequence.params)}, steps });`,
    '});', '',
  ].join('\n');
}

const firstLine = (text: string): string => (text.split('\n')[0] ?? '').slice(0, 150);

/** As one writes it in our code. */
export function literal(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{ ${Object.entries(value).map(([key, one]) => `${key}: ${literal(one)}`).join(', ')} }`;
  }
  return typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
}
