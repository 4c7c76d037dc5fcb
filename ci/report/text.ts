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
