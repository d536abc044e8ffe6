import { open, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';

const firstSegment = '00000000000000000000.log';

/** Flips a bit in the last record byte of the batch that holds `offset`, in the partition's first segment. */
export async function damageBatch(folder: string, offset: number): Promise<void> {
  const { at, length } = await batchOf(folder, offset);
  const file = await open(join(folder, firstSegment), 'r+');
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at + length - 2);
    byte[0] = (byte[0] as number) ^ 0x01;
    await file.write(byte, 0, 1, at + length - 2);
  } finally {
    await file.close();
  }
}

/** Cuts the first segment before the batch that holds `offset`; only while the broker is down. */
export async function cutBefore(folder: string, offset: number): Promise<void> {
  const { at } = await batchOf(folder, offset);
  await truncate(join(folder, firstSegment), at);
}

async function batchOf(folder: string, offset: number): Promise<{ at: number; length: number }> {
  const bytes = await readFile(join(folder, firstSegment));
  for (let at = 0; at + 61 <= bytes.length;) {
    const base = Number(bytes.readBigInt64BE(at));
    const length = 12 + bytes.readInt32BE(at + 8);
    const last = base + bytes.readInt32BE(at + 23);
    if (offset >= base && offset <= last) return { at, length };
    at += length;
  }
  throw new Error(`no batch of ${folder} holds offset ${offset}`);
}
