/** The policy on the kernel log: each kind of complaint is recognised in the kernel's own words, ordinary messages are
 *  not, and an allowance holds on its line until its day and must be met. Method: pure; texts as 6.12 prints them. */
import { describe, expect, test } from 'vitest';
import { klogFindings } from '../../../ci/klog/check.js';
import { ConfigError } from '../../../vm/errors.js';
import { lostRecords } from '../../../vm/guest/klog.js';
import { parseKlogPolicy } from '../../../vm/guest/klog-policy.js';
import { judgeKlog, klogPolicy } from '../../fixtures/klog-guard.js';

const complaints: readonly (readonly [name: string, line: string])[] = [
  ['KASAN', 'BUG: KASAN: slab-use-after-free in tracker_put+0x1c/0x90 [blksnap]'],
  ['KASAN', 'KASAN: null-ptr-deref in range [0x0000000000000008-0x000000000000000f]'],
  ['KCSAN', 'BUG: KCSAN: data-race in blkfilter_submit / blkfilter_detach'],
  ['KFENCE', 'BUG: KFENCE: out-of-bounds read in test_out_of_bounds_read+0xa6/0x234'],
  ['UBSAN', 'UBSAN: shift-out-of-bounds in module/geometry.c:12:9'],
  ['kmemleak', 'kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)'],
  ['kmemleak', 'kmemleak: Memory pool empty, consider increasing CONFIG_DEBUG_KMEMLEAK_MEM_POOL_SIZE'],
  ['kmemleak', 'kmemleak: Kernel memory leak detector disabled'],
  ['DEBUG_OBJECTS', 'ODEBUG: free active (active state 0) object: ffff888003b58000 object type: work_struct hint: store_work+0x0/0x10'],
  ['DEBUG_OBJECTS', 'ODEBUG: Out of memory. ODEBUG disabled'],
  ['lockdep', 'WARNING: possible circular locking dependency detected'],
  ['lockdep', 'WARNING: possible recursive locking detected'],
  ['lockdep', 'WARNING: possible irq lock inversion dependency detected'],
  ['lockdep', 'WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected'],
  ['lockdep', 'WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected'],
  ['lockdep', 'WARNING: inconsistent lock state'],
  ['lockdep', 'WARNING: suspicious RCU usage'],
  ['lockdep', 'WARNING: held lock freed!'],
  ['lockdep', 'WARNING: fio/12 still has locks held!'],
  ['lockdep', 'WARNING: lock held when returning to user space!'],
  ['lockdep', 'WARNING: bad unlock balance detected!'],
  ['lockdep', 'WARNING: Nested lock was not taken'],
  ['lockdep', '[ BUG: Invalid wait context ]'],
  ['lockdep', 'INFO: trying to register non-static key.'],
  ['lockdep', 'turning off the locking correctness validator.'],
  ['lockdep', 'DEBUG_LOCKS_WARN_ON(lock->magic != lock)'],
  ['lockdep', 'DEBUG_RWSEMS_WARN_ON((rwsem_owner(sem) != current) && !rwsem_test_oflags(sem, RWSEM_NONSPINNABLE)): count = 0x0, magic = 0xffffffffa0002040'],
  ['lockdep', 'BUG: spinlock already unlocked on CPU#0, insmod/118'],
  ['lockdep', 'BUG: MAX_LOCKDEP_ENTRIES too low!'],
  ['atomic sleep', 'BUG: sleeping function called from invalid context at mm/slab.h:1'],
  ['atomic sleep', 'BUG: scheduling while atomic: fio/34/0x00000002'],
  ['RCU stall', 'rcu: INFO: rcu_sched self-detected stall on CPU'],
  ['RCU stall', 'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:'],
  ['RCU stall', 'rcu: INFO: rcu_sched detected expedited stalls on CPUs/tasks: { 1-.... }'],
  ['RCU stall', 'INFO: rcu_tasks detected stalls on tasks:'],
  ['RCU stall', 'rcu: rcu_sched kthread starved for 15002 jiffies! g-1199 f0x2 RCU_GP_WAIT_FQS(5) ->state=0x0 ->cpu=0'],
  ['hung task', 'INFO: task fio:123 blocked for more than 20 seconds.'],
  ['lockup', 'watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [kworker/1:2:57]'],
  ['lockup', 'watchdog: CPU0: Watchdog detected hard LOCKUP on cpu 0'],
  ['lockup', 'BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!'],
  ['list corruption', 'list_add corruption. prev->next should be next (ffffffff82a3d350), but was ffff888003b58000. (prev=ffff888003b58100).'],
  ['list corruption', 'list_del corruption, ffff888003b58000->next is LIST_POISON1 (dead000000000100)'],
  ['refcount', 'refcount_t: underflow; use-after-free.'],
  ['slab', 'BUG kmalloc-64 (Not tainted): Right Redzone overwritten'],
  ['slab', 'BUG blksnap_chunk (Tainted: G    B      O      ): Poison overwritten'],
  ['slab', 'BUG blksnap_chunk (Not tainted): Objects remaining in blksnap_chunk on __kmem_cache_shutdown()'],
  ['slab', 'kmem_cache_destroy blksnap_chunk: Slab cache still has objects when called from cleanup_module+0x10/0x20 [blksnap]'],
  ['slab', 'cache_from_obj: Wrong slab cache. kmalloc-64 but object is from kmalloc-128'],
  ['page', 'BUG: Bad page state in process fio  pfn:03b58'],
  ['page', 'BUG: Bad rss-counter state mm:ffff888003b58000 type:MM_ANONPAGES val:1'],
  ['inode', 'VFS: Busy inodes after unmount of vdb (ext4)'],
  ['name clash', "sysfs: cannot create duplicate filename '/devices/virtual/block/blksnap-image0'"],
  ['lost records', lostRecords(2, 0).text],
  ['panic', 'Kernel panic - not syncing: Fatal exception'],
  ['Oops', 'Oops: general protection fault, probably for non-canonical address 0xdffffc0000000001: 0000 [#1] PREEMPT SMP KASAN'],
  ['Oops', 'BUG: unable to handle page fault for address: ffffffffa0001000'],
  ['Oops', 'BUG: kernel NULL pointer dereference, address: 0000000000000000'],
  ['WARN', 'WARNING: CPU: 0 PID: 1 at block/blk-core.c:1 submit_bio+0x1/0x2'],
  ['WARN', 'WARNING: block/blk-core.c:1 at submit_bio+0x1/0x2, CPU#0: fio/12'],
  ['BUG', 'kernel BUG at block/bio.c:1234!'],
  ['BUG', 'BUG: workqueue leaked atomic, lock or RCU: kworker/0:1[9]'],
];

const ordinary: readonly string[] = [
  'I/O error, dev vdb, sector 128 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2',
  'Buffer I/O error on dev dm-0, logical block 0, async page read',
  'EXT4-fs (vdb): mounted filesystem 1f0c with ordered data mode. Quota mode: disabled.',
  'kmemleak: Kernel memory leak detector initialized (mem pool available: 12345)',
  'FAULT_INJECTION: forcing a failure.',
  'workqueue: async_run_entry_fn hogged CPU for >10000us 4 times, consider switching to WQ_UNBOUND',
  'blksnap: loading out-of-tree module taints kernel.',
  'blksnap: snapshot of vdb is corrupt: -28',
  'sd 0:0:4:0: [sda] Synchronizing SCSI cache',
];

const kernel = { line: '6.12', flavour: 'debug' };
const now = new Date('2026-12-01T12:00:00Z');
const lines = (...texts: string[]) => texts.map((text, index) => ({ level: 4, timeUs: index, text }));

test.for(complaints)('%s is seen in: %s', async ([name, line]) => {
  expect(judgeKlog(lines('one', line, 'two'), await klogPolicy(), { kernel, now }).splats).toEqual([{ name, line: { level: 4, timeUs: 1, text: line } }]);
});

test.for(ordinary)('nothing is wrong with: %s', async (line) => {
  expect(judgeKlog(lines(line), await klogPolicy(), { kernel, now }).splats).toEqual([]);
});

test('every kind in the file has a text here', async () => {
  const told = new Set(complaints.map(([name]) => name));
  expect((await klogPolicy()).splats.map(({ name }) => name).filter((name) => !told.has(name))).toEqual([]);
});

const allowance = `
allowed:
  - name: the known one
    pattern: 'WARNING: .* known_one'
    reason: it is mended in the next line
    owner: A. Maintainer
    line: "6.12"
    expires: 2026-12-01
`;
const withAllowance = (text = allowance) => parseKlogPolicy(`splats:\n  - {name: WARN, pattern: 'WARNING', why: x}\n${text}`, 'kernel-log.yaml');
const known = lines('WARNING: CPU: 0 at known_one+0x1/0x2', 'WARNING: CPU: 0 at other+0x1/0x2');

describe('an allowance', () => {
  test('lets its message pass and no other, and says that it did', () => {
    expect(judgeKlog(known, withAllowance(), { kernel, now })).toEqual({ splats: [{ name: 'WARN', line: known[1] }], allowed: ['the known one'] });
  });

  test('holds until its last day, on its kernel line and flavours only', () => {
    const splatsOn = (context: Parameters<typeof judgeKlog>[2], text?: string) => judgeKlog(known, withAllowance(text), context).splats.length;
    expect(splatsOn({ kernel, now: new Date('2026-12-02T00:00:01Z') })).toBe(2);
    expect(splatsOn({ kernel: { ...kernel, line: '7.3' }, now })).toBe(2);
    expect(splatsOn({ kernel, now }, `${allowance}    flavours: [fast]\n`)).toBe(2);
    expect(splatsOn({ kernel, now }, `${allowance}    flavours: [debug]\n`)).toBe(1);
  });

  test('is a finding when its day is past, and when a whole run did not meet it', () => {
    const findings = (met: string[] | undefined, at = now, on = kernel, text = allowance) => klogFindings(withAllowance(text), { kernel: on, met: met && new Set(met) }, at);
    expect(findings([])).toEqual([expect.stringContaining('"the known one" was met by no test on 6.12 debug')]);
    expect(findings(['the known one'])).toEqual([]);
    expect(findings([], now, kernel, `${allowance}    rare: true\n`), 'it does not always come').toEqual([]);
    expect(findings([], new Date('2027-01-01T00:00:00Z'), kernel, `${allowance}    rare: true\n`), 'its day counts').toHaveLength(1);
    expect(findings(undefined), 'a part of the tests says nothing').toEqual([]);
    expect(findings([], now, { ...kernel, line: '7.3' }), 'it is for another line').toEqual([]);
    expect(findings(undefined, new Date('2027-01-01T00:00:00Z'))).toEqual([expect.stringContaining('until 2026-12-01; its owner is A. Maintainer')]);
  });

  test('does not cover what a test provokes', () => {
    expect(judgeKlog(known, withAllowance(), { kernel, now, provoked: [/known_one/, /other/] })).toEqual({ splats: [], allowed: [] });
  });
});

test.for([
  ['a pattern that is none', "splats:\n  - {name: A, pattern: '(', why: x}\n", 2, /regular expression/i],
  ['a pattern that matches everything', "splats:\n  - {name: A, pattern: 'x*', why: x}\n", 2, /empty line/],
  ['no reason', `splats:\n  - {name: A, pattern: 'a', why: x}\n${allowance.replace(/ +reason.*\n/, '')}`, 5, /reason/],
  ['a day that is none', `splats:\n  - {name: A, pattern: 'a', why: x}\n${allowance.replace('2026-12-01', '2026-13-01')}`, 10, /2026-13-01/],
  ['a rare that is no yes', `splats:\n  - {name: A, pattern: 'a', why: x}\n${allowance}    rare: often\n`, 11, /often/],
  ['an unknown field', "splats:\n  - {name: A, pattern: 'a', why: x, until: y}\n", 2, /until/],
] as const)('%s is told with its place', ([, text, line, message]) => {
  const error = ((): unknown => {
    try {
      return parseKlogPolicy(text, 'kernel-log.yaml');
    } catch (thrown) {
      return thrown;
    }
  })();
  expect(error).toBeInstanceOf(ConfigError);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).toContain(`kernel-log.yaml:${line}`);
});
