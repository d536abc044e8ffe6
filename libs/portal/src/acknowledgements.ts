import { unknownNamespace } from '@levee/cluster';
import type { NamespaceState } from '@levee/events';
import { Failure } from '@levee/kernel';
import type { Log, PartitionOffsets } from '@levee/log';
import type { CommandRunner } from '@levee/journal';
import { refusal } from './found';
import type { Portal } from './portal';

export interface AcknowledgementRequest {
  readonly name: string;
  /** The last record of a partition that is acknowledged; absent: all that is there now. */
  readonly upTo?: readonly { readonly partition: number; readonly offset: number }[] | undefined;
  readonly reason?: string | undefined;
  readonly by?: string | undefined;
  readonly why: string;
  readonly principal: string;
}

export interface AcknowledgementReport {
  readonly name: string;
  readonly number: number;
  /** Of each partition of which something is acknowledged, by what was asked or by an older one, the last record. */
  readonly upTo: readonly { readonly partition: number; readonly offset: number }[];
  readonly reason: string | null;
  readonly acknowledgements: NamespaceState['acknowledgements'];
}

/** People say that bad records of a binlog are dealt with. */
export class Acknowledgements {
  constructor(
    private readonly log: Pick<Log, 'offsets'>,
    private readonly portal: Pick<Portal, 'view'>,
    private readonly commands: CommandRunner,
  ) {}

  /**
   * Records it for this creation of the name. [safety] A position behind the end of the log is refused: it would hide what
   * is not written yet. Fails with NAMESPACE_UNKNOWN, BAD_REQUEST, as the log does, and with the code of a refusal.
   */
  async acknowledge(request: AcknowledgementRequest): Promise<AcknowledgementReport> {
    const { name, upTo, reason, by, why, principal } = request;
    const { number, binlog } = this.namespace(name);
    const bounds = await this.log.offsets(binlog);
    const positions = positionsIn(bounds, { name, binlog, upTo });
    const payload = {
      ...{ name, number, positions, why },
      ...(reason === undefined ? {} : { reason }),
      ...(by === undefined ? {} : { by }),
    };
    await this.commands.run({ kind: 'AcknowledgeFindings', payload, principal });
    const { acknowledgements } = this.namespace(name);
    const last = positions.flatMap((next, partition) => (next === 0 ? [] : [{ partition, offset: next - 1 }]));
    return { name, number, upTo: last, reason: reason ?? null, acknowledgements };
  }

  private namespace(name: string): NamespaceState {
    const { state } = this.portal.view;
    const namespace = state.namespace(name);
    if (namespace === undefined || namespace.state === 'deleted') throw refusal(unknownNamespace(state, name));
    return namespace;
  }
}

/** Next offsets, by partition. */
function positionsIn(
  bounds: readonly PartitionOffsets[],
  { name, binlog, upTo }: Pick<AcknowledgementRequest, 'name' | 'upTo'> & { readonly binlog: string },
): number[] {
  const ends: number[] = [];
  for (const { partition, endOffset } of bounds) ends[partition] = endOffset;
  if (upTo === undefined) {
    if (ends.some((end) => end > 0)) return ends;
    throw new Failure('BAD_REQUEST', `${binlog}, the binlog of ${name}, is empty: there is nothing to acknowledge`);
  }
  const positions = ends.map(() => 0);
  for (const { partition, offset } of upTo) {
    const end = ends[partition];
    if (end === undefined)
      throw new Failure(
        'BAD_REQUEST',
        `${binlog} has no partition ${partition}, but 0 to ${ends.length - 1}: levee lint ${name} names those with findings`,
      );
    if (offset >= end)
      throw new Failure(
        'BAD_REQUEST',
        `${partition}:${offset} lies behind the end of ${binlog}, whose partition ${partition} ` +
          (end === 0 ? 'is empty' : `ends with ${partition}:${end - 1}`) +
          ': what is not written yet cannot be dealt with; name the last record that was looked at, or --all',
      );
    positions[partition] = Math.max(positions[partition] ?? 0, offset + 1);
  }
  return positions;
}
