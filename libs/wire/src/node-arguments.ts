import { FrameFailure } from './frame';

/** Fails unless the command has exactly `count` arguments, its name included. */
export function argumentCount(args: readonly Buffer[], count: number): void {
  if (args.length !== count)
    throw new FrameFailure(`wrong number of arguments for '${argText(args, 0)}': ${args.length - 1}, not ${count - 1}`);
}

export function argText(args: readonly Buffer[], index: number): string {
  return (args[index] ?? Buffer.alloc(0)).toString('utf8');
}

/** A safe integer in decimal text, at least `min`. */
export function decimalArg(args: readonly Buffer[], index: number, name: string, min = 0): number {
  const text = argText(args, index);
  const n = /^-?\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(n) && n >= min) return n;
  throw new FrameFailure(`${name} is an integer from ${min} to 2^53-1, not '${text.slice(0, 32)}'`);
}
