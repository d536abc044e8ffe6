import { encode } from '@levee/codec';
import type { Claim } from '@levee/events';
import { claimLink, type ClusterView, type ControlTopics, furthestAhead, heardWitnesses, seenBy } from '@levee/journal';
import { asOffset, asPartition, asTerm, type Clock, Failure, type NewId, type Term } from '@levee/kernel';
import { systemNewId, type FencedWriter, type Log } from '@levee/log';

/** A claim that was read back as the highest: its holder may decide. */
export interface Taken {
  readonly term: Term;
  readonly claim: Claim;
  /** The identity that every older master loses where this one has written. */
  readonly writer: FencedWriter;
}

const takeOverLimits = { readDeadlineMs: 30_000 } as const;

/** The writer identity that all masters of a cluster share. */
export const masterWriterId = (topics: ControlTopics): string => `${topics.prefix}.master`;

/**
 * Claims the next term: stand at the journal's end, take the writer identity, append the claim, read the journal up to
 * it, and serve only if it is in force. Nobody claims while somebody has seen more of the journal than it holds
 * (JOURNAL_SHORT). From its append on the log refuses the writer of the master before; should a
 * record of that one still get in, it is void at replay. Fails with FENCED when another claim came first.
 */
export async function takeOver(
  log: Log,
  topics: ControlTopics,
  options: {
    readonly view: ClusterView;
    readonly instance: string;
    readonly clock: Clock;
    readonly newId?: NewId;
  },
): Promise<Taken> {
  const { view, instance, clock, newId = systemNewId } = options;
  refuseShort(view);
  // Before the journal's end is looked at: what they have seen by now must be in it.
  const witnesses = await heardWitnesses(log, topics, { clusterId: view.clusterId, clock });
  await view.readToEnd(takeOverLimits.readDeadlineMs);
  refuseShort(view);
  const { position } = view.journal;
  const witness = furthestAhead(witnesses, position);
  if (witness !== undefined) throw new Failure('JOURNAL_SHORT', view.shortBecause(seenBy(witness)));
  const writer = await log.fencedWriter(masterWriterId(topics));
  try {
    const claim: Claim = {
      term: view.term + 1,
      instance,
      nonce: newId(),
      producerId: writer.producerId,
      epoch: writer.epoch,
      clusterId: view.clusterId ?? newId(),
      claimedAtMs: clock.nowMs(),
    };
    const record = { key: null, value: encode('Claim', claim), headers: [claimLink(claim)] };
    const { baseOffset } = await writer.append(topics.journal, asPartition(0), [record]);
    await view.readTo(asOffset(baseOffset + 1), takeOverLimits.readDeadlineMs);
    if (view.claim?.nonce === claim.nonce) return { term: asTerm(claim.term), claim, writer };
    throw new Failure('FENCED', `term ${claim.term} was claimed by ${view.claim?.instance ?? 'another master'} first`);
  } catch (error) {
    await writer.close().catch(() => undefined);
    throw error;
  }
}

function refuseShort({ short }: ClusterView): void {
  if (short !== undefined) throw new Failure('JOURNAL_SHORT', short);
}
