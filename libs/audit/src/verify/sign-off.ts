import { createHash } from 'node:crypto';
import { type ChainPosition, decodeEvent, EntityTable, JournalFold } from '@levee/journal';
import { Failure } from '@levee/kernel';

/** Up to where somebody has verified a log, with what is needed to go on from there. */
export interface SignOff {
  readonly journal: ChainPosition;
  /** State digest at that position. */
  readonly digest: string;
  /** Next offset of each partition of each binlog. */
  readonly binlogs: Readonly<Record<string, readonly number[]>>;
  /** Entities of the state, as bytes in base64, by key. */
  readonly entities: Readonly<Record<string, string>>;
}

/** As text whose last line is the SHA-256 of what stands before it. */
export function writeSignOff(of: SignOff): string {
  const text = JSON.stringify(of);
  return `${text}\n${sha256(text)}\n`;
}

/** Fails with BAD_SIGN_OFF: it is none, or not as it was written. */
export function readSignOff(text: string): SignOff {
  const [body = '', sum = ''] = text.split('\n');
  if (sum !== sha256(body))
    throw new Failure('BAD_SIGN_OFF', 'it is no signed-off point, or was changed since it was written');
  return JSON.parse(body) as SignOff;
}

/** The fold of the journal as it was signed off. Fails with BAD_SIGN_OFF when the entities are not those of its digest. */
export function foldFrom({ journal: position, digest, entities }: SignOff): JournalFold {
  const table = new EntityTable();
  const events = Object.entries(entities).map(([key, base64]) => {
    const bytes = Buffer.from(base64, 'base64');
    table.set(key, bytes);
    return decodeEvent(bytes);
  });
  if (table.digest !== digest)
    throw new Failure('BAD_SIGN_OFF', `its entities have digest ${table.digest}, not ${digest}`);
  return new JournalFold({ position, table, events });
}

export const entitiesOfFold = ({ table }: JournalFold): Record<string, string> =>
  Object.fromEntries([...table.entries()].map(([key, bytes]) => [key, bytes.toString('base64')]));

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
