import type { Hash128 } from '@levee/kernel';

/** Two hashes of 16 bytes, a slot of 4, an expiry of 8. */
const entryBytes = 44;
const words = 8;
const entriesMin = 1_024;
/** Above this share of its places a table grows. */
const fillMax = 0.75;
/** A table that would be fuller than this share of it right after it was cleaned is full. */
const worthMax = 0.9;

/** In `slots`: nothing was ever here. */
const free = 0;
/** In `slots`: a key that is deleted; its place stays taken until the table is built anew. */
const deleted = -1;

/**
 * The last record of each key, known by a hash of 128 bits, in typed arrays: {@link entryBytes} bytes a key whatever keys
 * and values are, and nothing for the garbage collector. Never larger than `bytesMax`, while it grows too.
 */
export class KeyTable {
  private size: number;
  private taken = 0;
  /** By place: hash of the key, then hash of the record, four words each. */
  private hashes!: Uint32Array;
  /** By place: slot of the key + 1. */
  private slots!: Int32Array;
  private expiresAtMs!: Float64Array;
  private readonly sizeMax: number;

  /** `bytesMax` is at least 128 KiB. */
  constructor(bytesMax: number) {
    // While it grows it is there twice, the smaller one half as large.
    this.sizeMax = 2 ** Math.floor(Math.log2(bytesMax / (1.5 * entryBytes)));
    this.size = Math.min(entriesMin, this.sizeMax);
    this.make();
  }

  /** False when there is no room for one more key; then nothing has changed. */
  set(key: Hash128, record: Hash128, slot: number, expiresAtMs: number): boolean {
    let at = this.placeOf(key);
    if (this.slots[at] === free) {
      if (this.taken + 1 > this.size * fillMax) {
        if (!this.grow()) return false;
        at = this.placeOf(key);
      }
      this.taken++;
      this.hashes.set(key, at * words);
    }
    this.hashes.set(record, at * words + 4);
    this.slots[at] = slot + 1;
    this.expiresAtMs[at] = expiresAtMs;
    return true;
  }

  delete(key: Hash128): void {
    const at = this.placeOf(key);
    if (this.slots[at] !== free) this.slots[at] = deleted;
  }

  /** Forgets every key whose hash has its first word at `below` or above. */
  keepBelow(below: number): void {
    this.rebuild(this.size, (firstWord) => firstWord < below);
  }

  /** Each key with a value, in no order. `record` is good until the next call. */
  forEach(visit: (record: Hash128, slot: number, expiresAtMs: number) => void): void {
    for (let at = 0; at < this.size; at++) {
      const slot = this.slots[at] as number;
      if (slot <= free) continue;
      const from = at * words + 4;
      visit(this.hashes.subarray(from, from + 4), slot - 1, this.expiresAtMs[at] as number);
    }
  }

  private make(): void {
    this.hashes = new Uint32Array(this.size * words);
    this.slots = new Int32Array(this.size);
    this.expiresAtMs = new Float64Array(this.size);
    this.taken = 0;
  }

  /** Where the key is, or would be: the table is never full. */
  private placeOf(key: Hash128): number {
    const { hashes, slots, size } = this;
    const mask = size - 1;
    // The first word says which keys belong to a pass: another one spreads them.
    for (let at = (key[1] as number) & mask; ; at = (at + 1) & mask) {
      if (slots[at] === free) return at;
      const from = at * words;
      if (
        hashes[from] === key[0] &&
        hashes[from + 1] === key[1] &&
        hashes[from + 2] === key[2] &&
        hashes[from + 3] === key[3]
      )
        return at;
    }
  }

  /** Makes room; false when that takes more than there may be, or is hardly worth it. */
  private grow(): boolean {
    const room = this.size * fillMax;
    const living = this.slots.reduce((sum, slot) => (slot > free ? sum + 1 : sum), 0);
    if (living * 2 >= room && this.size * 2 <= this.sizeMax) this.rebuild(this.size * 2, () => true);
    // The places of deleted keys are enough.
    else if (living < room * worthMax) this.rebuild(this.size, () => true);
    else return false;
    return true;
  }

  private rebuild(size: number, keeps: (firstWord: number) => boolean): void {
    const { hashes, slots, expiresAtMs } = this;
    this.size = size;
    this.make();
    for (let before = 0; before < slots.length; before++) {
      const slot = slots[before] as number;
      const from = before * words;
      if (slot <= free || !keeps(hashes[from] as number)) continue;
      const at = this.placeOf(hashes.subarray(from, from + 4));
      this.hashes.set(hashes.subarray(from, from + words), at * words);
      this.slots[at] = slot;
      this.expiresAtMs[at] = expiresAtMs[before] as number;
      this.taken++;
    }
  }
}
