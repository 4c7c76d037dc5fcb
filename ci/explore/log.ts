/** What an exploration has come to: shown as it goes, and written down. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Coverage } from '../../suites/explorer/coverage.js';
import type { Explorer, Found } from '../../suites/explorer/explore.js';
import { scriptLines, testFile } from '../../suites/explorer/script.js';
import type { Problem } from '../report/model.js';
import { replaceFile } from '../report/results.js';
import { duration } from '../report/text.js';
import type { Progress, Step } from '../session/progress.js';
import type { ExploreOptions } from './options.js';

export interface LogOptions {
  readonly options: ExploreOptions;
  readonly coverage: Coverage;
  readonly resultsDir: string;
  readonly progress: Progress;
  /** Without a number: all of it. */
  readonly repeat: (sequence: number | undefined) => string;
}

const minuteMs = 60_000;
const foundFolder = 'explorer';

type Tell = Explorer['tell'];

export class Log implements Tell {
  readonly found: Found[] = [];
  readonly #given: LogOptions;
  readonly #startedMs = Date.now();
  readonly #step: Step;
  #sequences = 0;
  #looking = '';
  #endedMs: number | undefined;

  constructor(given: LogOptions) {
    this.#given = given;
    this.#step = given.progress.step('explore');
  }

  get wallMs(): number {
    return (this.#endedMs ?? Date.now()) - this.#startedMs;
  }

  isOver(work: 'sequence' | 'shrink'): boolean {
    const { minutes, sequence } = this.#given.options;
    if (work === 'sequence' && (this.found.length > 0 || this.#looking !== '')) return true;
    if (sequence !== undefined) return false;
    return this.wallMs > minutes * minuteMs * (work === 'sequence' ? 1 : 2);
  }

  sequence(): void {
    this.#sequences += 1;
    this.#step.update([this.#rates(), this.#looking].filter(Boolean).join('  '));
  }

  failed(number: number, message: string): void {
    this.#looking = `looking into sequence ${number}`;
    this.#given.progress.say(`sequence ${number} failed after ${duration(this.wallMs)}: ${message}`);
    this.write();
  }

  attempt(steps: number, stillFails: boolean): void {
    this.#looking = `shrinking: ${steps} steps ${stillFails ? 'still fail' : 'do not fail'}`;
    this.#step.update(`${this.#rates()}  ${this.#looking}`);
  }

  foundOne(one: Found): void {
    this.found.push(one);
    this.#looking = '';
    if (one.shrunk !== undefined) this.#save(one, one.shrunk);
    this.write();
  }

  end(): void {
    this.#endedMs = Date.now();
    this.#step[this.found.length > 0 ? 'fail' : 'done'](this.#rates());
    this.write();
  }

  /** A failure, with its script, is the report's to print. */
  problems(): Problem[] {
    return this.found.map((one) => ({
      blame: 'product' as const, isNamed: true, type: 'ExplorerFinding', message: one.shrunk?.message ?? one.message, detail: this.#story(one).join('\n'),
    }));
  }

  tellAll(): void {
    const { coverage, progress } = this.#given;
    for (const line of ['', ...coverage.table(), '', this.#rates()]) progress.say(line);
    for (const one of this.found) for (const line of ['', ...this.#story(one)]) progress.say(line);
  }

  write(): void {
    const { options: { line, flavour, seed, steps, minutes, jobs }, coverage, resultsDir, repeat } = this.#given;
    const failures = this.found.map((one) => ({ ...one, repeat: repeat(one.shrunk && one.number), script: one.shrunk && scriptLines(one.shrunk.sequence) }));
    const numbers = {
      line, flavour, seed, minutes, jobs, stepsOfSequence: steps, wallMs: this.wallMs, sequences: this.#sequences,
      steps: coverage.count, stepsPerMinute: this.#perMinute(coverage.count), failures, coverage: coverage.numbers(),
    };
    replaceFile(join(resultsDir, 'explore.json'), `${JSON.stringify(numbers, null, 2)}\n`);
  }

  #story(one: Found): string[] {
    const { shrunk, number } = one;
    if (shrunk === undefined) {
      return [
        `sequence ${number}: ${one.message}`, `it does not fail on a guest of its own; before it the guest had played ${one.before.join(', ') || 'nothing'}`,
        `look again: ${this.#given.repeat(undefined)}`,
      ];
    }
    return [
      `sequence ${number}: ${shrunk.message}`,
      `shrunk to ${shrunk.sequence.steps.length} steps in ${shrunk.attempts} attempts, ${duration(one.shrinkMs)}:`,
      ...scriptLines(shrunk.sequence), `saved: ${this.#pathOf(one)} (belongs into suites/explorer/found/)`, `repeat: ${this.#given.repeat(number)}`,
    ];
  }

  #save(one: Found, { sequence, message }: NonNullable<Found['shrunk']>): void {
    mkdirSync(join(this.#given.resultsDir, foundFolder), { recursive: true });
    replaceFile(this.#pathOf(one), testFile(sequence, one.number, message));
  }

  #pathOf({ number }: Found): string {
    return join(this.#given.resultsDir, foundFolder, `sequence-${number}.test.ts`);
  }

  #rates(): string {
    const { count } = this.#given.coverage;
    return `${this.#sequences} sequences, ${count} steps in ${duration(this.wallMs)}: ` +
      `${this.#perMinute(this.#sequences)} sequences and ${this.#perMinute(count)} steps a minute`;
  }

  #perMinute(count: number): number {
    return Math.round(count / Math.max(this.wallMs, 1) * minuteMs);
  }
}
