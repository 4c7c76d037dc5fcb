/** What every check of the gate is: a name and a function that returns the findings, one line each. Silence passes. */

export interface Check {
  readonly name: string;
  /** How to run only this; shown with a failure. */
  readonly repeat: string;
  run(tell: (detail: string) => void): readonly string[] | Promise<readonly string[]>;
}
