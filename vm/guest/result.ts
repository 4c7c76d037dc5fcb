/** What a command in a guest answered. */

export interface RunResult {
  readonly argv: readonly string[];
  readonly exitCode: number;
  /** Undefined when the program ended by itself. */
  readonly signal: number | undefined;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly durationMs: number;
  /** stdout as text, without the last line end. */
  text(): string;
  /** stdout as one JSON value. */
  json<T = unknown>(): T;
  /** stdout as one JSON value per line. */
  jsonLines<T = unknown>(): T[];
}

type Fields = Pick<RunResult, 'argv' | 'exitCode' | 'signal' | 'stdout' | 'stderr' | 'durationMs'>;

export function runResult(fields: Fields): RunResult {
  const text = (): string => fields.stdout.toString('utf8').replace(/\n$/, '');
  const parse = <T>(json: string): T => {
    try {
      return JSON.parse(json) as T;
    } catch (error) {
      throw new SyntaxError(`${fields.argv[0]} did not print JSON: ${JSON.stringify(json.slice(0, 200))}`, { cause: error });
    }
  };
  return {
    ...fields,
    text,
    json: <T>() => parse<T>(text()),
    jsonLines: <T>() => text().split('\n').filter((line) => line !== '').map((line) => parse<T>(line)),
  };
}
