import { FrameFailure, FrameReader, FrameWriter, noSeal, type Seal } from './frame';
import { nodeCommands, nodeProtocolLimits, type PartitionPosition } from './node-protocol';
import { amount, openRequest, type Received } from './request-frame';

export interface RangeRequest {
  readonly namespace: string;
  readonly tableVersion: number;
  /** -1 = any age. */
  readonly maxAgeMs: number;
  readonly nowMs: number;
  readonly deadlineMs: number;
  readonly chunkId: string;
  /** Inclusive; empty = from the first key. */
  readonly from: Buffer;
  /** Exclusive; empty = to the last key. */
  readonly to: Buffer;
  readonly limit: number;
  readonly bytesMax: number;
  readonly keysOnly: boolean;
  /** What the replica must have applied first. */
  readonly positions: readonly PartitionPosition[];
}

export interface RangeItem {
  readonly key: Buffer;
  readonly offset: number;
  /** null = never. */
  readonly expiresAtMs: number | null;
  /** Empty with `keysOnly`. */
  readonly value: Buffer;
  /** Set when the key's last record cannot be read: `LVUNREADABLE …`. */
  readonly error?: string;
}

export interface RangeReply {
  readonly ageMs: number;
  readonly tableVersion: number;
  readonly items: readonly RangeItem[];
  readonly positions: readonly PartitionPosition[];
  /** First key not looked at; `undefined` when the range is done. */
  readonly nextKey: Buffer | undefined;
}

export function rangeCommand(request: RangeRequest): readonly (string | Buffer)[] {
  const { from, to, positions } = request;
  const frame = new FrameWriter(160 + from.length + to.length + positions.length * 12);
  frame.u64(request.tableVersion);
  frame.u64(request.maxAgeMs + 1);
  frame.u64(request.nowMs);
  frame.u64(request.deadlineMs);
  frame.u64(request.limit);
  frame.u64(request.bytesMax);
  frame.u8(request.keysOnly ? 1 : 0);
  frame.text16(request.namespace);
  frame.text16(request.chunkId);
  frame.bytes32(from);
  frame.bytes32(to);
  frame.u32(positions.length);
  writePositions(frame, positions);
  return [nodeCommands.range, frame.finish()];
}

/** Of a received command; throws FrameFailure with a text for the `-ERR` reply. */
export function parseRangeCommand(args: readonly Buffer[]): Received<RangeRequest> {
  const reader = openRequest(args);
  const request = {
    seal: reader.seal,
    tableVersion: reader.u64(),
    maxAgeMs: reader.u64() - 1,
    nowMs: reader.u64(),
    deadlineMs: reader.u64(),
    limit: amount(reader, 'limit', nodeProtocolLimits.rangeLimitMax),
    bytesMax: amount(reader, 'bytesMax', nodeProtocolLimits.replyBytesMax),
    keysOnly: reader.u8() === 1,
    namespace: reader.text16(),
    chunkId: reader.text16(),
    from: reader.bytes32(),
    to: reader.bytes32(),
    positions: readPositions(reader, reader.u32()),
  };
  reader.end();
  return request;
}

export function encodeRangeReply(reply: RangeReply, answerTo: Seal = noSeal): Buffer {
  const frame = new FrameWriter(replyBytes(reply));
  frame.u32(Math.min(0xffff_ffff, Math.max(0, Math.floor(reply.ageMs))));
  frame.u64(reply.tableVersion);
  frame.u32(reply.items.length);
  frame.u32(reply.positions.length);
  frame.u32(reply.nextKey === undefined ? rangeDone : reply.nextKey.length);
  for (const item of reply.items) {
    frame.u8(item.error === undefined ? 1 : 2);
    frame.u16(item.key.length);
    frame.bytes(item.key);
    if (item.error === undefined) {
      frame.u64(item.offset);
      frame.u64(item.expiresAtMs ?? 0);
      frame.u32(item.value.length);
      frame.bytes(item.value);
    } else frame.text16(item.error);
  }
  writePositions(frame, reply.positions);
  if (reply.nextKey !== undefined) frame.bytes(reply.nextKey);
  return frame.finish(answerTo);
}

/** At least, unless errors are long: a page that grows by doubling leaves three times itself behind. */
function replyBytes({ items, positions, nextKey }: RangeReply): number {
  let bytes = 24 + positions.length * 12 + (nextKey?.length ?? 0);
  for (const { key, value, error = '' } of items) bytes += 23 + key.length + value.length + error.length;
  return bytes;
}

export function parseRangeReply(bulk: Buffer, answerTo: Seal = noSeal): RangeReply {
  const reader = FrameReader.open(bulk, answerTo);
  const ageMs = reader.u32();
  const tableVersion = reader.u64();
  const count = reader.u32();
  const positionCount = reader.u32();
  const nextKeyLength = reader.u32();
  const items: RangeItem[] = [];
  for (let i = 0; i < count; i++) items.push(readItem(reader));
  const positions = readPositions(reader, positionCount);
  const nextKey = nextKeyLength === rangeDone ? undefined : reader.bytes(nextKeyLength);
  reader.end();
  return { ageMs, tableVersion, items, positions, nextKey };
}

const rangeDone = 0xffff_ffff;

function readItem(reader: FrameReader): RangeItem {
  const tag = reader.u8();
  if (tag !== 1 && tag !== 2) throw new FrameFailure(`no such tag in a range reply: ${tag}`);
  const key = reader.bytes(reader.u16());
  if (tag === 2) return { key, offset: 0, expiresAtMs: null, value: empty, error: reader.text16() };
  const offset = reader.u64();
  const expiresAtMs = reader.u64();
  return { key, offset, expiresAtMs: expiresAtMs === 0 ? null : expiresAtMs, value: reader.bytes(reader.u32()) };
}

function writePositions(frame: FrameWriter, positions: readonly PartitionPosition[]): void {
  for (const { partition, nextOffset } of positions) {
    frame.u32(partition);
    frame.u64(nextOffset);
  }
}

function readPositions(reader: FrameReader, count: number): PartitionPosition[] {
  const positions: PartitionPosition[] = [];
  for (let i = 0; i < count; i++) positions.push({ partition: reader.u32(), nextOffset: reader.u64() });
  return positions;
}

const empty = Buffer.alloc(0);
