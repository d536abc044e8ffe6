import type { Clock } from '@levee/kernel';
import type { Readable, Writable } from 'node:stream';
import { CliFailure } from './exit';
import type { StoreHere } from './store-here';

/** Everything the program touches outside itself, so that tests can be the terminal. */
export interface Terminal {
  readonly stdin: Readable;
  /** Data, and nothing else. */
  readonly stdout: Writable;
  /** Everything else. */
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Ctrl-C: ends what would go on for ever. */
  readonly interrupted: AbortSignal;
  /** The store that runs in this folder, unless the line names another one. */
  readonly here?: StoreHere | undefined;
}

/** Writes, and waits while the reader is slow. */
export async function write(stream: Writable, chunk: string | Uint8Array): Promise<void> {
  if (stream.write(chunk)) return;
  await new Promise<void>((resolve, reject) => {
    const settle = (error?: Error): void => {
      stream.removeListener('drain', settle);
      stream.removeListener('error', settle);
      stream.removeListener('close', settle);
      if (error) reject(error);
      else resolve();
    };
    stream.once('drain', settle);
    stream.once('error', settle);
    stream.once('close', settle);
  });
}

/** All of standard input; `undefined` when it is longer than `bytesMax`. Fails with INTERRUPTED: it may never end. */
export async function readAll(
  { stdin, interrupted }: Pick<Terminal, 'stdin' | 'interrupted'>,
  bytesMax: number,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const leave = (): void => void stdin.destroy(new CliFailure('INTERRUPTED', 'interrupted'));
  interrupted.addEventListener('abort', leave, { once: true });
  if (interrupted.aborted) leave();
  try {
    for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
      const part = Buffer.from(chunk as string);
      bytes += part.length;
      if (bytes > bytesMax) return undefined;
      chunks.push(part);
    }
  } finally {
    interrupted.removeEventListener('abort', leave);
  }
  return Buffer.concat(chunks);
}
