import { type FencedWriter, LogFailure } from '@levee/log';
import { metaKey, writerKey } from './keys';
import { loadCounter } from './load';
import { encodeCounter } from './registers';
import { encodeSlot, newestSlot, slotOf } from './slot';
import { type LogStore, put, type StoreWrite } from './store/log-store';

/** Which opening of a writer id appends; a higher epoch fences lower ones. */
export interface WriterClaim {
  readonly id: string;
  readonly epoch: number;
}

export interface WriterIdentity {
  readonly producerId: number;
  readonly epoch: number;
}

/** Gives `id` its next epoch, durably; a new id gets a new producer id. */
export async function takeWriter(store: LogStore, id: string): Promise<WriterIdentity> {
  const slot = newestSlot(await store.get(writerKey(id, 0)), await store.get(writerKey(id, 1)));
  const known = slot === undefined ? undefined : (JSON.parse(slot.payload.toString()) as WriterIdentity);
  const writes: StoreWrite[] = [];
  let { producerId } = known ?? {};
  if (producerId === undefined) {
    const counter = await loadCounter(store, 'producers');
    const count = counter.count + 1;
    producerId = counter.value + 1;
    writes.push(put(metaKey('producers', slotOf(count)), encodeCounter(producerId, count)));
  }
  const identity: WriterIdentity = { producerId, epoch: (known?.epoch ?? -1) + 1 };
  const count = (slot?.count ?? 0) + 1;
  writes.push(put(writerKey(id, slotOf(count)), encodeSlot(count, Buffer.from(JSON.stringify(identity)))));
  await store.write(writes);
  return identity;
}

export function fencedWriterOf(
  id: string,
  { producerId, epoch }: WriterIdentity,
  append: (claim: WriterClaim, ...to: Parameters<FencedWriter['append']>) => ReturnType<FencedWriter['append']>,
): FencedWriter {
  let closed = false;
  return {
    producerId,
    epoch,
    append: (topic, partition, records) =>
      closed
        ? Promise.reject(new LogFailure('LOG_UNAVAILABLE', `the writer ${id} is closed`))
        : append({ id, epoch }, topic, partition, records),
    close: () => {
      closed = true;
      return Promise.resolve();
    },
  };
}
