/** The raw file behind a programmable disk. Each call is done when it returns, so that what is applied has one order.
 *  The file is in the host's page cache and stays what it is when QEMU is killed. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';

const ZEROES = Buffer.alloc(1 << 20);

export class BackingFile {
  readonly #fd: number;
  #isOpen = true;

  constructor(path: string) {
    this.#fd = openSync(path, 'r+');
  }

  read(offset: number, length: number): Buffer {
    const data = Buffer.alloc(length);
    readSync(this.#fd, data, 0, length, offset);
    return data;
  }

  write(offset: number, data: Uint8Array): void {
    for (let done = 0; done < data.length;) done += writeSync(this.#fd, data, done, data.length - done, offset + done);
  }

  zero(offset: number, length: number): void {
    for (let done = 0; done < length; done += ZEROES.length) {
      this.write(offset + done, ZEROES.subarray(0, Math.min(ZEROES.length, length - done)));
    }
  }

  close(): void {
    if (this.#isOpen) closeSync(this.#fd);
    this.#isOpen = false;
  }
}
