/** Text that may hold anything a guest's console printed, made fit for terminals, logs and XML. */

// eslint-disable-next-line no-control-regex -- escape sequences begin with a control character
const ansiSequence = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;

export function stripAnsi(text: string): string {
  return text.replace(ansiSequence, '');
}

/** Whole seconds below a minute with one decimal, else minutes and seconds. */
export function duration(durationMs: number): string {
  const seconds = durationMs / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

export function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

/** Shows each character outside XML 1.0's range by its number, so that nothing is lost silently and no terminal obeys. */
export function printable(text: string): string {
  let out = '';
  for (const character of text) out += isPrintable(character.codePointAt(0) ?? 0) ? character : numbered(character);
  return out;
}

function isPrintable(code: number): boolean {
  if (code < 0x20) return code === 0x9 || code === 0xa || code === 0xd;
  return !(code >= 0x7f && code <= 0x9f) && !(code >= 0xd800 && code <= 0xdfff) && code !== 0xfffe && code !== 0xffff;
}

function numbered(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}

/** On one line and not endless, for the terminal. */
export function brief(text: string, charsMax = 200): string {
  const oneLine = text.replace(/\s+/g, ' ').trim();
  return oneLine.length > charsMax ? `${oneLine.slice(0, charsMax)}…` : oneLine;
}

/** A stack without its repeated message and without the frames of packages and of Node. */
export function ownFrames(stack: string): string {
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return frames.filter((line) => !/node_modules|node:internal|<anonymous>/.test(line)).join('\n');
}
