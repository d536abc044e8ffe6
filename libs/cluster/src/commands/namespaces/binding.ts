import type { NamespaceState } from '@levee/events';
import type { PayloadFields } from '../../payload';
import { reject, type Rejection } from '../../rejection';

/** Of a namespace, what says whether it serves a topic that others made. */
export type Binding = Pick<NamespaceState, 'sourceTopic' | 'writable' | 'expireWithRetention'>;

/** Most characters of a Kafka topic's name. */
const topicNameMax = 249;

export const retentionLimits = {
  /** A shorter `retention.ms` leaves no room between the answer of a replica and the removal of a record. */
  retentionMsMin: 10_000,
  /** So much before the topic may let go of a value it is hidden, for clocks that differ and replicas that are slow. */
  marginMsMax: 60_000,
} as const;

/**
 * [safety] Age from which on values are hidden, ms: less than the topic's retention by a margin, a quarter of it at most.
 * What a replica that is built anew cannot read any more is then hidden at every other one.
 */
export const hiddenAfter = (retentionMs: number): number =>
  retentionMs - Math.min(retentionLimits.marginMsMax, Math.floor(retentionMs / 4));

/** How long a value is hidden before its topic may let go of it, ms, where values are hidden after so many. */
export const retentionMargin = (hiddenAfterMs: number): number =>
  Math.min(retentionLimits.marginMsMax, hiddenAfterMs / 3);

/** What a bound namespace says of its partitions until the master has looked at the topic. */
export const untilBound = 1;

/** What a namespace knows of its source topic before anybody looked. */
export const unseenSource = {
  sourceTopicId: null,
  sourceFinding: 'none',
  sourceProblem: null,
  retentionMs: null,
  hiddenAfterMs: null,
} as const satisfies Partial<NamespaceState>;

/** Whether what is held of a bound topic may not be served: a changed policy alone makes nothing wrong. */
export const isSourceLost = ({ sourceFinding }: Pick<NamespaceState, 'sourceFinding'>): boolean =>
  sourceFinding !== 'none' && sourceFinding !== 'policy';

/** Without `sourceTopic` the namespace gets a topic of its own, which is written to. What is wrong is in `fields.problem`. */
export function readBinding(fields: PayloadFields): Binding {
  const sourceTopic = fields.optional('sourceTopic', (name) => fields.text(name, topicNameMax), null);
  const isBound = sourceTopic !== null;
  const binding = {
    sourceTopic,
    writable: fields.optional('writable', (name) => fields.flag(name), !isBound),
    expireWithRetention: fields.optional('expireWithRetention', (name) => fields.flag(name), false),
  };
  if (!isBound && (!binding.writable || binding.expireWithRetention))
    fields.refuse(
      reject('BAD_KNOB', 'writable and expireWithRetention are of namespaces that are bound to a topic (sourceTopic)'),
    );
  if (isBound && fields.has('partitions'))
    fields.refuse(reject('BAD_KNOB', `partitions cannot be set: they are those of the topic ${sourceTopic}`));
  if (sourceTopic !== null && !/^[A-Za-z0-9._-]+$/.test(sourceTopic))
    fields.refuse(reject('BAD_KNOB', `sourceTopic '${sourceTopic}' is no name that a topic can have`));
  return binding;
}

/** Settings that a bound namespace cannot have, with the reason. */
export function bindingProblem(
  {
    sourceTopic,
    writable,
    consistency,
    flush,
    maxTtlMs,
    recordFormat,
    expireWithRetention,
  }: Binding & Pick<NamespaceState, 'consistency' | 'flush' | 'maxTtlMs' | 'recordFormat'>,
  fields: Pick<PayloadFields, 'has'>,
): Rejection | undefined {
  if (sourceTopic === null) return undefined;
  if (expireWithRetention && recordFormat !== 'raw')
    return reject(
      'BAD_KNOB',
      `expireWithRetention needs recordFormat raw (--record-format raw), and it is ${recordFormat}: a record that is no Put could not expire`,
    );
  if (writable && recordFormat !== 'raw')
    return reject(
      'BAD_KNOB',
      `writable needs recordFormat raw (--record-format raw), and it is ${recordFormat}: what is written is key and value`,
    );
  if (consistency === 'strong')
    return reject('BAD_KNOB', `consistency cannot be strong: ${strongRefused(sourceTopic)}`);
  if (fields.has('historyWindowMs'))
    return reject('BAD_KNOB', `historyWindowMs cannot be set: ${sourceTopic} keeps what its own settings say`);
  if (flush !== 'refuse')
    return reject('BAD_KNOB', `flush cannot be ${flush}: it would write into ${sourceTopic}, which belongs to others`);
  if (maxTtlMs === null) return undefined;
  return writable
    ? reject('BAD_KNOB', `maxTtlMs cannot be set: ${ttlRefused(sourceTopic)}`)
    : reject('BAD_KNOB', `maxTtlMs is of writes, and nothing is written to ${sourceTopic} from here`);
}

/** Why a bound namespace has no strong reads. */
export const strongRefused = (topic: string): string =>
  `a strong read would have to write a fence into ${topic}, which belongs to others; session reads with the position that ` +
  'a producer was told (LV.WAIT <partition>:<offset + 1>) see what it wrote';

/** Why nothing that is written to a bound topic has a time to live. */
export const ttlRefused = (topic: string): string =>
  `a time to live would be a header of Levee's in ${topic}, which its other readers do not know: they would keep the value`;

/** What people can do where a log lost what replicas hold: nothing of ours is written into a topic of others. */
export const lossWaysOut = (name: string, { isOfOthers }: { readonly isOfOthers: boolean }): string =>
  isOfOthers
    ? `its producers can write again what it lost, and levee log accept-loss ${name} lets go what replicas hold`
    : `levee log repair ${name} brings it back, levee log accept-loss ${name} lets it go`;

/** Why one topic cannot be served by a namespace, before anybody looks at it. */
export function sourceRefusal(
  namespaces: Iterable<NamespaceState>,
  { name, sourceTopic, prefix }: { readonly name: string; readonly sourceTopic: string; readonly prefix: string },
): Rejection | undefined {
  if (sourceTopic.startsWith(`${prefix}.`) || sourceTopic.startsWith('__'))
    return reject(
      'BAD_KNOB',
      `sourceTopic ${sourceTopic} belongs to ${sourceTopic.startsWith('__') ? 'Kafka' : 'Levee'} itself`,
    );
  for (const other of namespaces)
    if (other.name !== name && other.state !== 'deleted' && other.binlog === sourceTopic)
      return reject(
        'NAMESPACE_EXISTS',
        `topic ${sourceTopic} is served by ${other.name} already: a topic is bound once`,
      );
  return undefined;
}
