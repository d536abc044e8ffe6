import { Readable, Writable } from 'node:stream';
import { runCli } from '../src/program';

class Sink extends Writable {
  private readonly chunks: Buffer[] = [];

  constructor(private readonly onWrite: () => void = () => undefined) {
    super();
  }

  override _write(chunk: Buffer | string, _encoding: string, done: () => void): void {
    this.chunks.push(Buffer.from(chunk as string));
    this.onWrite();
    done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

export interface Ran {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs one command line against a terminal in memory, at 2026-01-01T00:00:00Z. */
export async function runLevee(
  argv: readonly string[],
  options: {
    env?: Record<string, string>;
    stdin?: Buffer | Readable;
    interrupted?: AbortSignal;
    /** When something was written to standard output. */
    onOutput?: () => void;
  } = {},
): Promise<Ran> {
  const stdout = new Sink(options.onOutput);
  const stderr = new Sink();
  const code = await runCli(argv, {
    stdin: options.stdin instanceof Readable ? options.stdin : Readable.from(options.stdin ? [options.stdin] : []),
    stdout,
    stderr,
    env: options.env ?? {},
    clock: { nowMs: () => 1_767_225_600_000, monotonicMs: () => 0 },
    interrupted: options.interrupted ?? new AbortController().signal,
  });
  return { code, stdout: stdout.bytes, stderr: stderr.bytes.toString() };
}
