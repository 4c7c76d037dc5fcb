/** A process with something to leave behind; it lives until its stdin closes. */
import { temporaryFolder } from '../../../../vm/proc/cleanup.js';
import { startDaemon } from '../../../../vm/proc/daemon.js';

const folder = temporaryFolder('victim');
const daemon = startDaemon(['sleep', '1000']);
process.stdout.write(JSON.stringify({ folder, pid: daemon.pid }));
process.stdin.on('end', () => process.exit(0)).resume();
