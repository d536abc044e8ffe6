import { decode, encode } from '@levee/codec';
import { eventOfRecord, namespaceVersion, recordOfKind, type ClusterEvent } from '@levee/cluster';
import type { RecordTypes } from '@levee/events';
import { Failure } from '@levee/kernel';

/** The record that stands for `event` in `Decision.events` and, unless it removes something, in a compacted topic. */
export function encodeEvent(event: ClusterEvent): Buffer {
  const name = recordOfKind[event.kind];
  return encode(name, event.entity as RecordTypes[typeof name], versionOf(event));
}

/** The oldest that can say it, so that processes which were not upgraded yet can read it; `undefined` = the only one. */
function versionOf(event: ClusterEvent): number | undefined {
  if (event.kind === 'node' && !event.entity.cordoned) return 1;
  return event.kind === 'namespace' ? namespaceVersion(event.entity) : undefined;
}

/** Fails with WRONG_RECORD when the bytes hold a record that is no entity, and as `decode` does. */
export function decodeEvent(bytes: Uint8Array): ClusterEvent {
  const decoded = decode(bytes);
  const event = eventOfRecord(decoded.name, decoded.record);
  if (event === undefined) throw new Failure('WRONG_RECORD', `a ${decoded.name} where an entity was expected`);
  return event;
}
