import { FrameFailure, FrameReader, FrameWriter, noSeal, type Seal } from './frame';
import { nodeCommands } from './node-protocol';
import { entryCount, openRequest, type Received } from './request-frame';

export interface AwaitEntry {
  readonly chunkId: string;
  readonly partition: number;
  /** The chunk's replica must have applied the partition up to here. */
  readonly nextOffset: number;
}

export interface AwaitRequest {
  readonly namespace: string;
  readonly tableVersion: number;
  readonly deadlineMs: number;
  readonly entries: readonly AwaitEntry[];
}

export type AwaitOutcome =
  | { readonly kind: 'applied' }
  | { readonly kind: 'behind'; readonly nextOffset: number }
  /** This node does not hold the chunk; the route with this seq (or a later one) says who does. */
  | { readonly kind: 'moved'; readonly seq: number };

export interface AwaitReply {
  readonly tableVersion: number;
  readonly outcomes: readonly AwaitOutcome[];
}

export const applied: AwaitOutcome = Object.freeze({ kind: 'applied' });

export function awaitCommand(request: AwaitRequest): readonly (string | Buffer)[] {
  const frame = new FrameWriter(64 + request.entries.length * 48);
  frame.u64(request.tableVersion);
  frame.u64(request.deadlineMs);
  frame.text16(request.namespace);
  frame.u32(request.entries.length);
  for (const entry of request.entries) {
    frame.u32(entry.partition);
    frame.u64(entry.nextOffset);
    frame.text16(entry.chunkId);
  }
  return [nodeCommands.await, frame.finish()];
}

/** Of a received command; throws FrameFailure with a text for the `-ERR` reply. */
export function parseAwaitCommand(args: readonly Buffer[]): Received<AwaitRequest> {
  const reader = openRequest(args);
  const tableVersion = reader.u64();
  const deadlineMs = reader.u64();
  const namespace = reader.text16();
  const count = entryCount(reader);
  const entries: AwaitEntry[] = [];
  for (let i = 0; i < count; i++) {
    const partition = reader.u32();
    const nextOffset = reader.u64();
    entries.push({ partition, nextOffset, chunkId: reader.text16() });
  }
  reader.end();
  return { namespace, tableVersion, deadlineMs, entries, seal: reader.seal };
}

/** Outcomes in the order of the request's entries. */
export function encodeAwaitReply(reply: AwaitReply, answerTo: Seal = noSeal): Buffer {
  const frame = new FrameWriter(12 + reply.outcomes.length * 9);
  frame.u64(reply.tableVersion);
  frame.u32(reply.outcomes.length);
  for (const outcome of reply.outcomes) {
    if (outcome.kind === 'applied') frame.u8(0);
    else {
      frame.u8(outcome.kind === 'behind' ? 1 : 2);
      frame.u64(outcome.kind === 'behind' ? outcome.nextOffset : outcome.seq);
    }
  }
  return frame.finish(answerTo);
}

export function parseAwaitReply(bulk: Buffer, answerTo: Seal = noSeal): AwaitReply {
  const reader = FrameReader.open(bulk, answerTo);
  const tableVersion = reader.u64();
  const count = entryCount(reader);
  const outcomes: AwaitOutcome[] = [];
  for (let i = 0; i < count; i++) {
    const tag = reader.u8();
    if (tag === 0) outcomes.push(applied);
    else if (tag === 1) outcomes.push({ kind: 'behind', nextOffset: reader.u64() });
    else if (tag === 2) outcomes.push({ kind: 'moved', seq: reader.u64() });
    else throw new FrameFailure(`no such tag in an await reply: ${tag}`);
  }
  reader.end();
  return { tableVersion, outcomes };
}
