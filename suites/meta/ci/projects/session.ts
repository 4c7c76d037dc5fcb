/** A run that starts a stubborn child and then waits or ends; for session.test.ts. */
import { spawn } from 'node:child_process';
import { pendingCase } from '../../../../ci/report/model.js';
import { ReportStore } from '../../../../ci/report/store.js';
import { openSession } from '../../../../ci/session/session.js';

const [root = '', ending = ''] = process.argv.slice(2);
const session = openSession(root);
const store = new ReportStore(session.resultsDir, {});
store.add(pendingCase({ id: 'a', suite: 'cow', file: '', name: 'a', specIds: [], repeat: '' }));
session.onInterrupt = () => void store.flush();
// In a session of its own, and deaf to SIGTERM, as a wedged QEMU would be.
const stubborn = spawn('/bin/sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 1; done'], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
stubborn.stdout.once('data', () => {
  process.stdout.write(`${JSON.stringify({ runDir: session.runDir, stubbornPid: stubborn.pid })}\n`);
  if (ending === 'close') void session.close().then(() => process.exit(0));
});
