/** `npm start`: the regression run. Makes sure the npm packages are there, then hands over to run.ts. */
import { handOver } from './bootstrap/hand-over.mjs';

await handOver(new URL('./run.ts', import.meta.url));
