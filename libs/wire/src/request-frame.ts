import { FrameFailure, FrameReader, type Seal, sealOf } from './frame';
import { nodeProtocolLimits } from './node-protocol';

/** A request as the node has it. */
export type Received<Request> = Request & {
  /** Its answer is sealed with it. */
  readonly seal: Seal;
};

/** Of a command that is sent: what its answer must be sealed with. */
export function sealOfCommand(args: readonly (string | Buffer)[]): Seal {
  return sealOf(args[1] as Buffer);
}

/** The one argument of a received command, whole; throws FrameFailure with a text for the `-ERR` reply. */
export function openRequest(args: readonly Buffer[]): FrameReader {
  const [name = Buffer.alloc(0), frame] = args;
  if (frame === undefined || args.length !== 2)
    throw new FrameFailure(`'${name.toString()}' takes one frame, not ${args.length - 1} arguments`);
  return FrameReader.open(frame);
}

export function entryCount(reader: FrameReader): number {
  const count = reader.u32();
  if (count > nodeProtocolLimits.entriesMax)
    throw new FrameFailure(`${count} entries, at most ${nodeProtocolLimits.entriesMax} in one command`);
  return count;
}

/** At least one, and no more than `max` of what a broken asker wants. */
export function amount(reader: FrameReader, name: string, max: number): number {
  const n = reader.u64();
  if (n === 0) throw new FrameFailure(`${name} is at least 1`);
  return Math.min(n, max);
}
