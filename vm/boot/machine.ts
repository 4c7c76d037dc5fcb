/** One running QEMU with its three lines to us: monitor, console, control port. */
import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { basename, join } from 'node:path';
import { HarnessError, MissingToolError } from '../errors.js';
import { Moments, ProgrammableDisk } from '../disk/programmable.js';
import { DiskServer } from '../disk/server.js';
import { NOT_FOUND } from '../proc/exec.js';
import { startDaemon, type Daemon } from '../proc/daemon.js';
import { within } from '../units.js';
import { diskBackend, machineArgv, type MachineArgs, type MachinePaths } from './argv.js';
import { Console, findTrouble, type Trouble } from './console.js';
import { Qmp } from './qmp.js';
import type { FullMachineSpec } from './spec.js';

export type MachineEnd =
  | { readonly kind: 'trouble'; readonly trouble: Trouble }
  | { readonly kind: 'lost'; readonly how: string; readonly wasGuest: boolean };

export interface MachineOptions extends Omit<MachineArgs, 'paths'> {
  readonly kernelImage: string;
  readonly rootImage: string;
  /** Holds the sockets; a short path. */
  readonly dir: string;
  /** Holds the disk files and console.log. */
  readonly filesDir: string;
  /** Holds what probes tell; default filesDir. */
  readonly toldDir?: string;
  /** Descriptor, in this process, of saved state to load. */
  readonly stateFd?: number;
  /** QEMU's command line. Default: machineArgv. */
  readonly argv?: (args: MachineArgs) => string[];
}

/** QEMU opens its sockets within some tens of milliseconds; an overloaded host gets much more. */
const CONNECT_TIMEOUT_MS = 20_000;
/** After "Kernel panic" the guest resets itself, which ends QEMU; one that cannot is ended by us. */
const PANIC_GRACE_MS = 1500;
const STATE_FD = 3;

export const diskPath = (dir: string, name: string): string => join(dir, `${name}.disk`);

const diskSocketPath = (dir: string, name: string): string => join(dir, `disk-${name}`);

export class Machine {
  readonly qmp: Qmp;
  readonly console: Console;
  readonly port: Socket;
  /** The programmable ones, by name. */
  readonly disks: ReadonlyMap<string, ProgrammableDisk>;
  /** Resolves once QEMU has ended and its console has been read to the end. */
  readonly ended: Promise<MachineEnd>;
  readonly #daemon: Daemon;

  private constructor(
    daemon: Daemon, sockets: readonly [Socket, Socket, Socket], servers: readonly DiskServer[], consolePath: string,
  ) {
    this.#daemon = daemon;
    const [qmp, consoleSocket, port] = sockets;
    this.qmp = new Qmp(qmp);
    this.console = new Console(consoleSocket, consolePath);
    this.port = port;
    this.disks = new Map(servers.map(({ disk }) => [disk.name, disk]));
    const drained = new Promise<void>((resolve) => {
      consoleSocket.once('close', () => resolve());
    });
    const stopWatching = this.console.onText(() => {
      if (!/Kernel panic - not syncing/.test(this.console.text)) return;
      stopWatching();
      setTimeout(() => this.kill(), PANIC_GRACE_MS).unref();
    });
    let reset = false;
    this.qmp.onEvent(({ event, data }) => {
      if (event !== 'SHUTDOWN') return;
      if (data?.['reason'] === 'guest-reset') reset = true;
      // QEMU ends only when its disks have answered, which they never will if a request is held.
      for (const server of servers) server.disconnect();
    });
    this.ended = daemon.ended.then(async (end) => {
      for (const server of servers) server.close();
      await within(drained, 1000);
      for (const socket of sockets) socket.destroy();
      const trouble = findTrouble(this.console.text);
      if (trouble) return { kind: 'trouble', trouble };
      // A guest that resets itself without a word has had a triple fault; our agent says why before it gives up.
      if (reset && !/^agent: (?!ready)/m.test(this.console.text)) {
        return { kind: 'lost', how: 'its kernel reset the machine without a panic', wasGuest: true };
      }
      const how = end.signal ? `QEMU was ended by ${end.signal}` : `QEMU ended with status ${end.exitCode}`;
      return { kind: 'lost', how: end.stderr.trim() ? `${how}: ${end.stderr.trim()}` : how, wasGuest: false };
    });
  }

  get pid(): number | undefined {
    return this.#daemon.pid;
  }

  /** Ends QEMU like a mains failure. */
  kill(): void {
    this.#daemon.kill();
  }

  /** See vm/disk/nudge.ts. */
  #nudge({ disks }: FullMachineSpec): void {
    for (const disk of disks.filter(({ programmable }) => programmable)) {
      this.disks.get(disk.name)!.nudges.ask = async ({ offset, length }) => {
        const line = `qemu-io -d ${diskBackend(disk)} "aio_read -q ${offset} ${length}"`;
        const refusal = await this.qmp.execute<string>('human-monitor-command', { 'command-line': line });
        if (refusal !== '') throw new HarnessError(refusal, { code: 'EQMP', blame: 'rig', phase: 'qemu' });
      };
    }
  }

  static async start(options: MachineOptions): Promise<Machine> {
    const names = ['qmp', 'console', 'port'] as const;
    const listeners = names.map((name) => listen(join(options.dir, name)));
    const accepted = Promise.all(listeners.map((listener) => listener.accepted));
    accepted.catch(() => undefined);
    await Promise.all(listeners.map((listener) => listener.listening));
    const servers = await serveDisks(options);
    const paths: MachinePaths = {
      kernel: options.kernelImage,
      root: options.rootImage,
      qmpSocket: join(options.dir, 'qmp'),
      consoleSocket: join(options.dir, 'console'),
      portSocket: join(options.dir, 'port'),
      disk: (name) => diskPath(options.filesDir, name),
      diskSocket: (name) => diskSocketPath(options.dir, name),
      told: (cpu) => join(options.toldDir ?? options.filesDir, `${basename(options.dir)}.cpu${cpu}`),
    };
    const incoming = options.stateFd === undefined ? {} : { incomingFd: STATE_FD };
    const argv = (options.argv ?? machineArgv)({ ...options, paths, ...incoming });
    const daemon = startDaemon(argv, options.stateFd === undefined ? {} : { fds: [options.stateFd] });
    const sockets = await within(Promise.race([accepted, daemon.ended]), CONNECT_TIMEOUT_MS);
    for (const listener of listeners) listener.close();
    if (Array.isArray(sockets)) {
      const machine = new Machine(daemon, sockets as [Socket, Socket, Socket], servers, join(options.filesDir, 'console.log'));
      await machine.qmp.execute('qmp_capabilities').catch(() => undefined);
      machine.#nudge(options.spec);
      return machine;
    }
    daemon.kill();
    for (const server of servers) server.close();
    throw startError(await daemon.ended);
  }
}

/** The programmable disks of a machine; they share one row of moments. */
async function serveDisks({ spec, dir, filesDir }: MachineOptions): Promise<DiskServer[]> {
  const moments = new Moments();
  const disks = spec.disks.filter(({ programmable }) => programmable);
  return Promise.all(disks.map(async ({ name, sizeBytes }) => (
    DiskServer.start(new ProgrammableDisk(name, diskPath(filesDir, name), sizeBytes, moments), diskSocketPath(dir, name))
  )));
}

function startError(end: Awaited<Daemon['ended']>): HarnessError {
  if (end.error || NOT_FOUND.test(end.stderr)) return new MissingToolError('qemu-system-x86_64', 'boot');
  return new HarnessError(`QEMU did not start (${end.signal ?? `status ${end.exitCode}`}): ${end.stderr.trim()}`, {
    code: 'EQEMUSTART', blame: 'rig', phase: 'boot',
    ...(/Cannot allocate memory/.test(end.stderr) ? { nextStep: 'Not enough memory: run with fewer --jobs.' } : {}),
  });
}

/** Accepts exactly one connection; the socket file goes away with the server. */
function listen(path: string): { accepted: Promise<Socket>; listening: Promise<void>; close(): void } {
  const server = createServer();
  server.maxConnections = 1;
  const accepted = new Promise<Socket>((resolve, reject) => {
    server.once('connection', (socket) => {
      server.close();
      resolve(socket);
    });
    server.once('error', reject);
  });
  const listening = new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return {
    accepted,
    listening,
    close: () => {
      server.close();
      rmSync(path, { force: true });
    },
  };
}
