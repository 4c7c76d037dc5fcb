/** The text of --help. */
export const startHelp = `npm start -- [suite | file | "file > test name" | name pattern ...] [options]
npm start -- doctor        what this machine has, what is missing, and the next step
npm start -- spec [id ...] every promise, the tests that prove it, and how they last ended; boots nothing.
                           An id or a group (COW) shows only these
npm start -- list [...]    the same as --list
npm start -- shell [-- COMMAND ...]  a kernel with blksnap loaded on your own root file system, of which nothing is written:
                           a prompt, a command (one word is shell text) or a script on stdin; ends with its exit code
npm start -- merge PATH ...  joins the reports of all shards of a run into one, with its summary and exit code
npm start -- explore       looks for sequences of steps that go wrong, next to a model (--help says more)
npm start -- mutants       proves that the tests can fail: plants known bugs, one at a time (--help says more)

Boots a patched kernel and proves what the filter and the blksnap module promise.
Without arguments every suite runs, but for what takes long (--long). A name pattern is part of a test's name.
"file > test name" is one test of a file (or suite), or those whose names have that part. "core" is what suites/core.yaml lists.
The paths of --module and merge are meant from where you stand.

  --list           list suites and tests with the spec ids they prove (long ones with --long); boots nothing
  --spec COW-03    only tests that name this id of the spec, or one of a group (COW); may be given again
  --exclude WORD   not this suite, file or part of a test's name; may be given again. The report has it as skipped
  --seed N         repeat the random choices of an earlier run (printed at its start)
  --repeat N       run the selection N times, each round with a seed of its own; tells flaky tests
  --long           also the files *.long.test.ts: each fault at each place, tens of minutes. Without it they run when their
                   suite, file or full name is a word, or when a part of a name is in no other test's
  --canaries N     known bugs to plant as well, by the seed; one that is not seen turns the run red
                   (default: 2 for 20 tests and more)
  --shard i/n      run only the i-th of n equal parts of the selection; one part per machine, then merge.
                   All parts need the same seed: 1, unless --seed says another
  --jobs N         guests at the same time (default: CPUs and one more)
  --keep           keep disks and consoles of failed tests
  --json           the results as one JSON object on stdout (npm start -s -- ... --json: without npm's own lines)
  --line 6.12      kernel line of kernel-patches/lines.yaml
  --flavour fast   kernel configuration of kernel-patches/config
  --module DIR     build another module folder instead of module/
  --driver NAME    qemu: a small root, restored from a checkpoint (default); vng: the host's root, booted by virtme-ng
  --qemu           shell on the small root instead
  --disk SIZE      a scratch disk of shell, may be repeated (default: two of 1G)
  --help           this text

Exit codes: 0 all passed, 1 the product failed, 2 wrong usage, 3 the rig failed, 130 interrupted.
Results: results/latest/junit.xml`;

export const gateHelp = `npm test -- [options]

The project's own gate: lint, types, import rules, tidiness, unit tests of the runner,
kernel style checks, the same suites as npm start, and their core (suites/core.yaml) once more on the debug flavour.

  --long           also what takes tens of minutes
  --canaries N     known bugs to plant as well (default: 2)
  --seed N  --jobs N  --keep  --json  --line 6.12  --flavour fast  --module DIR   as for npm start
  --shard i/n      the suites in n parts; the first part also does everything else. Seed 1 unless given

Exit codes: 0 all passed, 1 a check or the product failed, 2 wrong usage, 3 the rig failed.
Results: results/latest/junit.xml`;
