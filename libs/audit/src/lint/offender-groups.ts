import { acknowledgementOf, producerSettings } from '@levee/cluster';
import type { Acknowledgement, NamespaceState } from '@levee/events';
import type { HashAlgorithm } from '@levee/keyspace';
import { saidBy } from '../doctor/quarantine-counts';
import { harmOf, harms, type LintGroup, type LintReason, type Offenders } from './offenders';

const lintLimits = {
  /**
   * Reasons times producers that are told apart, of each harm, and of what is acknowledged: a producer that restarts often
   * has many ids, and much advice must not push out what is lost.
   */
  groupsMax: 1_000,
  /** Records that are shown of each. */
  examplesMax: 3,
} as const;

interface Offence {
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs?: number;
  readonly key?: Buffer | null;
  readonly why: string;
  /** Algorithms by which the key stands where it is. */
  readonly placedBy?: readonly HashAlgorithm[] | undefined;
}

interface Group {
  readonly reason: LintReason;
  readonly producerId: number;
  readonly by: Acknowledgement | undefined;
  count: number;
  oldestAtMs: number | undefined;
  newestAtMs: number | undefined;
  readonly examples: Offenders['examples'][number][];
  readonly placedBy: Map<HashAlgorithm, number>;
}

/** Offences by reason and producer. */
export class OffenderGroups {
  private readonly groups: Readonly<Record<LintGroup, Map<string, Group>>> = {
    lost: new Map(),
    unreadable: new Map(),
    advice: new Map(),
    acknowledged: new Map(),
  };
  private readonly untold: Record<LintGroup, number> = { lost: 0, unreadable: 0, advice: 0, acknowledged: 0 };

  constructor(private readonly namespace: NamespaceState) {}

  add(reason: LintReason, producerId: number, offence: Offence): void {
    const by = acknowledgementOf(this.namespace, { reason, ...offence });
    const kind = by === undefined ? harmOf[reason] : 'acknowledged';
    const name = `${reason} ${producerId} ${by === undefined ? '' : this.namespace.acknowledgements.indexOf(by)}`;
    const groups = this.groups[kind];
    let group = groups.get(name);
    if (group === undefined) {
      if (groups.size >= lintLimits.groupsMax) {
        this.untold[kind]++;
        return;
      }
      group = {
        ...{ reason, producerId, by, count: 0, examples: [], placedBy: new Map() },
        ...{ oldestAtMs: undefined, newestAtMs: undefined },
      };
      groups.set(name, group);
    }
    const { partition, offset, timestampMs, key, why, placedBy = [] } = offence;
    group.count++;
    if (timestampMs !== undefined) {
      group.oldestAtMs = Math.min(group.oldestAtMs ?? Infinity, timestampMs);
      group.newestAtMs = Math.max(group.newestAtMs ?? -Infinity, timestampMs);
    }
    // Part of a larger buffer.
    if (group.examples.length < lintLimits.examplesMax)
      group.examples.push({ partition, offset, key: key && Buffer.from(key), why });
    for (const algorithm of placedBy) group.placedBy.set(algorithm, (group.placedBy.get(algorithm) ?? 0) + 1);
  }

  told(): { readonly offenders: Offenders[]; readonly untold: Readonly<Record<LintGroup, number>> } {
    const kinds: readonly LintGroup[] = [...harms, 'acknowledged'];
    const offenders = kinds.flatMap((kind) =>
      [...this.groups[kind].values()]
        .map(({ placedBy, by, ...group }) => ({
          ...group,
          harm: harmOf[group.reason],
          setting: settingFor(group.reason, this.namespace, { count: group.count, placedBy }),
          ...(by && { acknowledged: saidBy(by) }),
        }))
        .sort((a, b) => b.count - a.count),
    );
    return { offenders, untold: this.untold };
  }
}

function settingFor(
  reason: LintReason,
  namespace: NamespaceState,
  { count, placedBy }: { readonly count: number; readonly placedBy: ReadonlyMap<HashAlgorithm, number> },
): string {
  const { rule, clients, value, sizes } = producerSettings(namespace);
  switch (reason) {
    case 'wrongPartition': {
      const [likely] = [...placedBy].find(([, of]) => of === count) ?? [];
      const lie = likely === undefined ? 'no algorithm places all of them so' : `all lie where ${likely} places them`;
      const settings = clients.map(({ client, setting }) => `${client}: ${setting}`).join('; ');
      return `${lie}; wanted is ${rule}. ${settings}`;
    }
    case 'noKey':
      return `give every record a key; ${rule}`;
    case 'reservedKey':
      return 'leave keys that begin with the reserved bytes to Levee (docs/binlog.md): nothing is stored under them';
    case 'tooLarge':
      return sizes;
    case 'addedPartition':
      return `count ${namespace.partitions} partitions, and not those that the topic has now; ${rule}; then send these again`;
    case 'unreadableBatch':
      return 'compress by none, gzip, snappy, lz4 or zstd, to no more than a batch may have unpacked';
    case 'garbage':
    case 'unknownSchema':
      return `write ${value}`;
    case 'badCrc':
      return 'compute the crc over key, expiry and value as they are written, or leave it null (docs/binlog.md)';
    case 'badExpiry':
      return 'write the header levee-expires-at-ms in decimal digits, ms since 1970; these never expire';
    case 'producerTime':
      return `set message.timestamp.type=LogAppendTime at the topic ${namespace.binlog}: levee doctor prints the command`;
    case 'noCrc':
      return 'fill the optional crc, so that a record that was changed on its way is told from a sound one';
  }
}
