import { Worker } from 'node:worker_threads';
import { Failure, messageOf } from '@levee/kernel';

/** What one hash is made of. */
export interface ScryptInput {
  readonly password: string;
  readonly salt: Uint8Array;
  readonly costLog2: number;
}

interface Answer {
  readonly id: number;
  readonly hash?: Uint8Array;
  readonly error?: string;
}

const hashBytes = 32;
/** Beneath whoever serves: of a machine whose cores are all taken it gets about a tenth of one. */
const niceness = 10;

/**
 * What the thread runs; as text, so that it is the same from sources and from what is built. On Linux each thread has a
 * priority of its own; elsewhere it runs with that of the process.
 */
const program = `
const { parentPort } = require('node:worker_threads');
const { readlinkSync } = require('node:fs');
const { getPriority, setPriority } = require('node:os');
const { scryptSync } = require('node:crypto');
try {
  setPriority(Number(readlinkSync('/proc/thread-self').split('/').pop()), Math.max(getPriority(), ${niceness}));
} catch {}
parentPort.on('message', ({ id, input: { password, salt, costLog2 } }) => {
  const N = 2 ** costLog2;
  try {
    const hash = scryptSync(password, salt, ${hashBytes}, { N, r: 8, p: 1, maxmem: 256 * N * 8 });
    parentPort.postMessage({ id, hash });
  } catch (error) {
    parentPort.postMessage({ id, error: String(error.message) });
  }
});
`;

interface Waiting {
  readonly resolve: (hash: Buffer) => void;
  readonly reject: (error: Failure) => void;
}

/**
 * Hashes passwords one after the other in a thread of low priority. Node's own threads are those of the disks, and run with
 * the priority of whoever serves: attempts to guess passwords would slow down every read.
 */
export class ScryptThread {
  private worker: Worker | undefined;
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;

  /** Fails with UNAVAILABLE when the thread ends meanwhile. */
  hash(input: ScryptInput): Promise<Buffer> {
    const worker = this.running();
    return new Promise((resolve, reject) => {
      const id = ++this.lastId;
      this.waiting.set(id, { resolve, reject });
      worker.ref();
      worker.postMessage({ id, input });
    });
  }

  /** Begins with the first password; without one to hash it keeps no process from ending. */
  private running(): Worker {
    if (this.worker !== undefined) return this.worker;
    const worker = new Worker(program, { eval: true, name: 'passwords', execArgv: [] });
    worker.on('message', ({ id, hash, error }: Answer) => {
      const waiting = this.waiting.get(id);
      this.waiting.delete(id);
      if (hash !== undefined) waiting?.resolve(Buffer.from(hash));
      else waiting?.reject(gone(error ?? 'no answer'));
      if (this.waiting.size === 0) worker.unref();
    });
    worker.on('error', (error) => this.ended(worker, messageOf(error)));
    worker.on('exit', (code) => this.ended(worker, `it ended with code ${code}`));
    return (this.worker = worker);
  }

  private ended(worker: Worker, why: string): void {
    if (worker !== this.worker) return;
    this.worker = undefined;
    for (const { reject } of this.waiting.values()) reject(gone(why));
    this.waiting.clear();
  }
}

function gone(why: string): Failure {
  return new Failure('UNAVAILABLE', `the thread that hashes passwords failed: ${why}. Try again`);
}
