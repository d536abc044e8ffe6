import { FrameFailure, FrameReader, FrameWriter, noSeal, type Seal } from './frame';
import { nodeCommands, nodeProtocolLimits } from './node-protocol';
import { amount, openRequest, type Received } from './request-frame';

/** LV.COPY OPEN: a snapshot of the slots `[slotStart, slotEnd)` of a chunk, by ascending key. */
export interface CopyOpenRequest {
  readonly namespace: string;
  readonly chunkId: string;
  readonly slotStart: number;
  readonly slotEnd: number;
  /** Last key that the asker has already; empty = from the first. */
  readonly after: Buffer;
  /** `<unitId>@<generation>` of a replica that no decision names; absent: the one that decisions name. */
  readonly unit?: string | undefined;
}

/** Where the source stood in a partition when the snapshot was taken. */
interface CopyPosition {
  readonly partition: number;
  readonly nextOffset: number;
  /** -1 = unknown. */
  readonly leaderEpoch: number;
  /** Log time in milliseconds since 1970 at which the source last missed nothing. */
  readonly completeAtMs: number;
}

export interface CopyOpened {
  readonly copyId: string;
  /** Of every partition that the slots touch. */
  readonly positions: readonly CopyPosition[];
  /** Bytes that the whole chunk takes at the source, a rough measure of what is to come. */
  readonly bytesEstimate: number;
}

/** LV.COPY NEXT: one block of entries. */
export interface CopyFrame {
  /** Number of the block in its copy: from 0. */
  readonly sequence: number;
  /** Nothing comes after it. */
  readonly last: boolean;
  /** Entries as `@levee/chunk-store` packs them. */
  readonly block: Buffer;
}

export type CopyRequest =
  | ({ readonly what: 'open' } & CopyOpenRequest)
  | { readonly what: 'next'; readonly copyId: string; readonly sequence: number; readonly bytesMax: number }
  | { readonly what: 'close'; readonly copyId: string };

const copyTags = { open: 0, next: 1, close: 2 } as const;

export function copyOpenCommand(request: CopyOpenRequest): readonly (string | Buffer)[] {
  const { namespace, chunkId, slotStart, slotEnd, after, unit } = request;
  const frame = new FrameWriter(160 + after.length);
  frame.u8(copyTags.open);
  frame.text16(namespace);
  frame.text16(chunkId);
  frame.u32(slotStart);
  frame.u32(slotEnd);
  frame.bytes32(after);
  if (unit !== undefined) frame.text16(unit);
  return [nodeCommands.copy, frame.finish()];
}

export function copyNextCommand(copyId: string, sequence: number, bytesMax: number): readonly (string | Buffer)[] {
  const frame = new FrameWriter();
  frame.u8(copyTags.next);
  frame.text16(copyId);
  frame.u32(sequence);
  frame.u64(bytesMax);
  return [nodeCommands.copy, frame.finish()];
}

export function copyCloseCommand(copyId: string): readonly (string | Buffer)[] {
  const frame = new FrameWriter();
  frame.u8(copyTags.close);
  frame.text16(copyId);
  return [nodeCommands.copy, frame.finish()];
}

/** Of a received command; throws FrameFailure with a text for the `-ERR` reply. */
export function parseCopyCommand(args: readonly Buffer[]): Received<CopyRequest> {
  const reader = openRequest(args);
  const request = copyRequest(reader);
  reader.end();
  return { ...request, seal: reader.seal };
}

function copyRequest(reader: FrameReader): CopyRequest {
  const tag = reader.u8();
  switch (tag) {
    case copyTags.open:
      return {
        what: 'open',
        namespace: reader.text16(),
        chunkId: reader.text16(),
        slotStart: reader.u32(),
        slotEnd: reader.u32(),
        after: reader.bytes32(),
        ...(reader.remaining > 0 ? { unit: reader.text16() } : {}),
      };
    case copyTags.next:
      return {
        what: 'next',
        copyId: reader.text16(),
        sequence: reader.u32(),
        bytesMax: amount(reader, 'bytesMax', nodeProtocolLimits.replyBytesMax),
      };
    case copyTags.close:
      return { what: 'close', copyId: reader.text16() };
    default:
      throw new FrameFailure(`no such tag in a copy request: ${tag}`);
  }
}

export function encodeCopyOpened({ copyId, positions, bytesEstimate }: CopyOpened, answerTo: Seal = noSeal): Buffer {
  const frame = new FrameWriter(64 + positions.length * 24);
  frame.text16(copyId);
  frame.u64(bytesEstimate);
  frame.u32(positions.length);
  for (const { partition, nextOffset, leaderEpoch, completeAtMs } of positions) {
    frame.u32(partition);
    frame.u64(nextOffset);
    frame.u32(leaderEpoch + 1);
    frame.u64(completeAtMs);
  }
  return frame.finish(answerTo);
}

export function parseCopyOpened(bulk: Buffer, answerTo: Seal = noSeal): CopyOpened {
  const reader = FrameReader.open(bulk, answerTo);
  const copyId = reader.text16();
  const bytesEstimate = reader.u64();
  const count = reader.u32();
  const positions: CopyPosition[] = [];
  for (let i = 0; i < count; i++) {
    const [partition, nextOffset, leaderEpoch] = [reader.u32(), reader.u64(), reader.u32() - 1];
    positions.push({ partition, nextOffset, leaderEpoch, completeAtMs: reader.u64() });
  }
  reader.end();
  return { copyId, positions, bytesEstimate };
}

/** `sequence u32 | last u8`, then the block. */
const copyFrameHeaderBytes = 5;

export function encodeCopyFrame({ sequence, last, block }: CopyFrame, answerTo: Seal = noSeal): Buffer {
  const frame = new FrameWriter(copyFrameHeaderBytes + block.length);
  frame.u32(sequence);
  frame.u8(last ? 1 : 0);
  frame.bytes(block);
  return frame.finish(answerTo);
}

/** Throws FrameFailure when it was damaged, or is not the block asked for. The block is a view. */
export function parseCopyFrame(bulk: Buffer, sequence: number, answerTo: Seal = noSeal): CopyFrame {
  const reader = FrameReader.open(bulk, answerTo);
  const found = reader.u32();
  if (found !== sequence) throw new FrameFailure(`block ${found} of a copy came in place of ${sequence}`);
  const last = reader.u8() === 1;
  return { sequence, last, block: reader.bytes(reader.remaining) };
}
