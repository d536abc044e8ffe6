import { encodePut } from '@levee/codec';
import { silentLogger } from '@levee/kernel';
import { decodeRecords, encodeRewrittenEntry, readHead } from '../../libs/log-embedded/src/entry';
import { LogFolder } from '../../libs/log-embedded/src/folder';

/** More topics and partitions than a test makes. */
const searched = { topics: 64, partitions: 16 } as const;

/**
 * Rewrites the last record of a key in a stopped embedded log, with the checksums of record and entry made right, and the
 * chain of entries kept, as nobody would by accident. Returns the offset of the record.
 */
export async function rewriteRecord(
  folder: string,
  of: { readonly key: string; readonly value: string; readonly becomes: string },
): Promise<number> {
  const key = Buffer.from(of.key);
  const held = await LogFolder.take(folder, silentLogger);
  const store = await held.store();
  await store.open();
  try {
    for (let topic = 0; topic < searched.topics; topic++)
      for (let partition = 0; partition < searched.partitions; partition++) {
        const cursor = store.entries({ topic, partition }, 0, Number.MAX_SAFE_INTEGER);
        for (let found = await cursor.next(16); found.length > 0; found = await cursor.next(16))
          for (const { base, bytes } of found) {
            if (!bytes.includes(key) || !bytes.includes(of.value)) continue;
            const head = readHead(bytes);
            if (typeof head === 'string') throw new Error(head);
            const records = decodeRecords(bytes, head);
            const at = records.findIndex((record) => record.key?.equals(key) && record.value?.includes(of.value));
            const record = records[at];
            if (record === undefined) continue;
            records[at] = { ...record, value: encodePut(key, Buffer.from(of.becomes), null) };
            const rewrite = store.rewrite({ topic, partition });
            await rewrite.put(encodeRewrittenEntry(head, records), [base]);
            await rewrite.commit([]);
            await cursor.close();
            return record.offset;
          }
        await cursor.close();
      }
  } finally {
    await store.close();
    await held.release();
  }
  throw new Error(`no record of ${of.key} says ${of.value}`);
}
