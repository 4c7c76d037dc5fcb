/** A bio costs nothing more where no filter is: no lock, no atomic, no further reference of the queue, no memory looked at;
 *  and where filters are on other devices, a look at the list and one branch.
 *  Method: the instructions that the kernel executes between submission and driver are traced, one by one, and read. */
import {
  attachProbe, dataDisk, expect, loadProbe, makeTestDisk, secondDisk, storeDisk, test, tracePath,
  type Device, type Lab, type Step,
} from '../fixtures/index.js';

/** An interrupt or a lock that is taken adds steps to a trace, and the tracer misses one in a thousand: most of them agree. */
const TRACES = 3;

async function traces(device: Device, driver: readonly string[]): Promise<Step[][]> {
  const found: Step[][] = [];
  while (found.length < TRACES) found.push(await tracePath(device, driver));
  return found;
}

/** What most traces have, each step as often as the middle one of them has it. */
function typical(paths: readonly (readonly Step[])[]): Step[] {
  return [...union(paths).values()].flatMap((step) => {
    const times = paths.map((path) => path.filter(({ address }) => address === step.address).length).sort((a, b) => a - b);
    return Array.from({ length: times[(times.length - 1) / 2] as number }, () => step);
  });
}

/** All steps that are in one of the traces, once each. */
function union(paths: readonly (readonly Step[])[]): Map<bigint, Step> {
  return new Map(paths.flat().map((step) => [step.address, step]));
}

const isAtomic = ({ text }: Step): boolean => /^lock |^xchg .*\(/.test(text);
/** A reference that is counted per CPU, as that of a queue is. */
const takesReference = ({ text }: Step): boolean => /^(incq|addq|inc|add) .*%gs:\(%r/.test(text);
const isFilters = ({ symbol }: Step): boolean => symbol.includes('blkfilter');
/** Saving registers is no access: push and pop name no memory. */
const readsMemory = ({ text }: Step): boolean => /\(%r|%gs:/.test(text) && !/^(lea|nop|call)/.test(text);
const isCondition = ({ text }: Step): boolean => /^j(?!mp)/.test(text);

const drivers: readonly { readonly what: string; readonly make: (l: Lab) => Promise<Device>; readonly driver: readonly string[] }[] = [
  { what: 'a driver of bios', make: makeTestDisk, driver: ['testdisk_submit_bio'] },
  { what: 'a driver of requests', make: async (l) => l.disk('second'), driver: ['virtio_queue_rq', 'virtio_queue_rqs'] },
];

for (const { what, make, driver } of drivers) {
  test(`on its way to ${what}, a bio takes one reference of the queue and no notice of filters that are not there`, { meta: { spec: ['FLT-11'] } }, async ({ lab, settings, skip }) => {
    skip(settings.flavour !== 'fast', 'the detectors of this flavour lock and count by themselves');
    const l = await lab({ disks: [dataDisk, secondDisk, storeDisk], loadModule: false });
    const device = await make(l);
    const none = await traces(device, driver);
    const usual = typical(none);
    expect(usual.filter(takesReference)).toHaveLength(1);
    expect(none.flat().filter((step) => isFilters(step) && (readsMemory(step) || isAtomic(step)))).toEqual([]);

    await l.loadModule();
    await loadProbe(l);
    await l.attach(l.disk('data'));
    await attachProbe(l, l.disk('store'));
    const elsewhere = typical(await traces(device, driver));
    expect(elsewhere.filter(takesReference)).toHaveLength(1);
    expect(elsewhere.filter(isAtomic).length).toBeLessThanOrEqual(usual.filter(isAtomic).length);
    const before = union(none);
    const more = [...union([elsewhere]).values()].filter(({ address }) => !before.has(address));
    // No other function is called; one condition more is looked at before the queue is entered, and one behind it.
    const functions = new Set([...before.values()].map(({ symbol }) => symbol));
    expect(more.filter(({ symbol }) => !functions.has(symbol))).toEqual([]);
    expect(more.filter(isAtomic)).toEqual([]);
    expect(more.filter(isCondition).length).toBeLessThanOrEqual(2);
    expect(more.length, more.map(({ symbol, text }) => `${symbol}: ${text}`).join('\n')).toBeLessThanOrEqual(24);
    expect(more.length).toBeGreaterThan(0);
  });
}
