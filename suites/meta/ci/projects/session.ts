/** A run that starts a stubborn child and then waits or ends; for session.test.ts. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runMain } from '../../../../ci/cli/main.js';
import { pendingCase } from '../../../../ci/report/model.js';
import { createResultsDir } from '../../../../ci/report/results.js';
import { ReportStore } from '../../../../ci/report/store.js';
import { openSession } from '../../../../ci/session/session.js';
import { openVitest } from '../../../../ci/session/vitest.js';

const [root = '', ending = ''] = process.argv.slice(2);
const session = openSession();
const store = new ReportStore(createResultsDir(root, new Date()), {});
store.add(pendingCase({ id: 'a', suite: 'cow', file: '', name: 'a', specIds: [], repeat: '' }));
session.onInterrupt = () => {
  store.seal();
  // As a run does whose builds and guests have been ended. It looks for what is left a little later than the handler, and so
  // would be the first to see that nothing is.
  if (ending === 'close when interrupted') setTimeout(() => void session.close().then(() => process.exit(1)), 10);
};
// Vitest would like to end the process by itself.
const repository = fileURLToPath(new URL('../../../../', import.meta.url));
void openVitest(repository, { project: 'meta', jobs: 1 }).then(startStubborn);

/** What nobody waits for. */
function throwLater(): Promise<never> {
  setImmediate(() => { throw new Error('nobody has caught this'); });
  return new Promise(() => undefined);
}

/** In a session of its own, and deaf to SIGTERM, as a wedged QEMU would be. */
function startStubborn(): void {
  const stubborn = spawn('/bin/sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 1; done'], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  stubborn.stdout.once('data', () => {
    process.stdout.write(`${JSON.stringify({ runDir: session.runDir, stubbornPid: stubborn.pid })}\n`);
    if (ending === 'close') void session.close().then(() => process.exit(0));
    if (ending === 'throw') void runMain(throwLater);
  });
}
