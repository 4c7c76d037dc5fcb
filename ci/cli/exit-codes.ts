/** What the exit code says, for npm start and npm test alike. */
export const exitCodes = {
  passed: 0,
  productFailed: 1,
  usage: 2,
  rigFailed: 3,
  interrupted: 130,
  /** As of a program that SIGPIPE ends. */
  readerGone: 141,
} as const;

/** Wrong usage: said in one line, ends with exit 2. */
export class UsageError extends Error {
  readonly code = 'USAGE';
}

/** The rig cannot go on: said with the next step, ends with exit 3. */
export class RigError extends Error {
  readonly code = 'RIG';
  readonly blame = 'rig';
}
