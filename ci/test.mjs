/** `npm test`: the project's own gate. Makes sure the npm packages are there, then hands over to gate.ts. */
import { handOver } from './bootstrap/hand-over.mjs';

await handOver(new URL('./gate.ts', import.meta.url));
