import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  chunkSeed,
  dataKey,
  decodePosition,
  encodePosition,
  openLevelDb,
  positionKey,
  recordKind,
  type ReplicaDatabase,
  writeStored,
} from '@levee/chunk-store';
import { encodePut, PutView, readPut } from '@levee/codec';

/** A replica on the disk of a node that is stopped. */
export interface ReplicaFolder {
  /** The node's folder. */
  readonly home: string;
  /** As the cluster names it: n2/u03. */
  readonly unitId: string;
  readonly generation: number;
  readonly chunkId: string;
}

export const folderOf = ({ home, unitId, generation }: ReplicaFolder): string =>
  join(home, 'units', unitId.slice(unitId.indexOf('/') + 1), `g${generation}`);

/** Changes what a replica holds behind the back of its node, as LevelDB would write it, with every checksum right. */
export async function tamperWith(
  replica: ReplicaFolder,
  change: (of: TamperedReplica) => Promise<void>,
): Promise<void> {
  const db = await openLevelDb(folderOf(replica));
  try {
    await change(new TamperedReplica(db, replica.chunkId));
  } finally {
    await db.close();
  }
}

/** Keeps a copy of its files, to be put back later. */
export function keepCopy(replica: ReplicaFolder, to: string): void {
  cpSync(folderOf(replica), to, { recursive: true });
}

export function putBack(replica: ReplicaFolder, copy: string): void {
  rmSync(folderOf(replica), { recursive: true, force: true });
  cpSync(copy, folderOf(replica), { recursive: true });
}

export interface Standing {
  readonly nextOffset: number;
  readonly leaderEpoch: number;
  readonly completeAtMs: number;
}

export class TamperedReplica {
  constructor(
    private readonly db: ReplicaDatabase,
    private readonly chunkId: string,
  ) {}

  async remove(key: string): Promise<void> {
    const at = dataKey(Buffer.from(key));
    if ((await this.db.get(at)) === undefined) throw new Error(`${key} is not in ${this.chunkId}`);
    await this.db.del(at);
  }

  /** As if a record at `offset` had said so. */
  async put(key: string, value: string, offset: number): Promise<void> {
    const bytes = Buffer.from(key);
    const raw = encodePut(bytes, Buffer.from(value), null);
    const view = new PutView();
    readPut(raw, view);
    const at = dataKey(bytes);
    const slab = Buffer.alloc(raw.length + at.length + 64);
    const fields = { offset, expiresAtMs: 0, kind: recordKind.put, valueStart: view.valueStart };
    const end = writeStored(slab, 0, bytes, raw, chunkSeed(this.chunkId), fields);
    await this.db.put(at, slab.subarray(at.length, end));
  }

  /** Where it stands, and behind a record of which leader epoch. */
  async position(partition: number): Promise<Standing> {
    const { nextOffset, leaderEpoch, completeAtMs } = await this.stored(partition);
    return { nextOffset, leaderEpoch, completeAtMs };
  }

  /** It says that it stands there, whatever it has applied: the chain of its writes begins there. */
  async moveTo(partition: number, mark: Standing): Promise<void> {
    const moved = { ...(await this.stored(partition)), ...mark, chainFrom: mark };
    await this.db.put(positionKey(partition), encodePosition(positionKey(partition), moved));
  }

  private async stored(partition: number) {
    const at = positionKey(partition);
    const bytes = await this.db.get(at);
    const found = bytes && decodePosition(at, bytes);
    if (found === undefined) throw new Error(`${this.chunkId} has no position in partition ${partition}`);
    return found;
  }
}
