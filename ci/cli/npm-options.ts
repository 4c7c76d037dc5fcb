/** `npm start --list`, without the --: npm keeps the option, and the run would go on without it. Only its environment tells. */
import { UsageError } from './exit-codes.js';

/** npm has these as well, or people's .npmrc does (node-gyp reads jobs): they may be meant for npm. */
const npmsOwn: readonly string[] = ['help', 'json', 'long', 'jobs', 'all'];

/** Throws UsageError when npm has taken one of these options, named without dashes, off the command line. Script: start or test. */
export function requireNoneTaken(names: readonly string[], script: string, env: NodeJS.ProcessEnv = process.env): void {
  const taken = names.find((name) => !npmsOwn.includes(name) && env[`npm_config_${name.replaceAll('-', '_')}`] !== undefined);
  if (taken === undefined) return;
  throw new UsageError(`npm took --${taken} for an option of its own: put -- before options: npm ${script} -- --${taken} ...`);
}
