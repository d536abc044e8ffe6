import { crc32c } from '@node-rs/crc32';

/**
 * A small value that is overwritten again and again lives in two slots, written in turn: a write torn by power loss
 * leaves the other one. The valid slot with the higher count is the value.
 * Layout: CRC-32C of the rest (u32), count (u32 high, u32 low), payload; little endian.
 */
export interface Slot {
  readonly count: number;
  readonly payload: Buffer;
}

const headBytes = 12;

export const slotOf = (count: number): number => count % 2;

export function encodeSlot(count: number, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes + payload.length);
  writeU53(bytes, count, 4);
  payload.copy(bytes, headBytes);
  bytes.writeUInt32LE(crc32c(bytes.subarray(4)), 0);
  return bytes;
}

/** The newest valid one of two stored slots. */
export function newestSlot(...stored: ReadonlyArray<Buffer | undefined>): Slot | undefined {
  let newest: Slot | undefined;
  for (const bytes of stored) {
    if (bytes === undefined || bytes.length < headBytes) continue;
    if (crc32c(bytes.subarray(4)) !== bytes.readUInt32LE(0)) continue;
    const count = readU53(bytes, 4);
    if (newest === undefined || count > newest.count) newest = { count, payload: bytes.subarray(headBytes) };
  }
  return newest;
}

/** Unsigned integers below 2^53 as two little-endian words; a third of the time BigInt takes. */
export function writeU53(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(Math.floor(value / 2 ** 32), at);
  bytes.writeUInt32LE(value >>> 0, at + 4);
}

export function readU53(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) * 2 ** 32 + bytes.readUInt32LE(at + 4);
}
