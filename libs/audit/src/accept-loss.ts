import type { WitnessFacts } from '@levee/wire';
import type { Log } from '@levee/log';
import { letPass } from './let-pass';
import type { WitnessNodes } from './witness-nodes';

/** One thing that is said while people's decision is prepared or carried out. */
export interface Line {
  readonly event: 'cut' | 'difference' | 'conflict' | 'total' | 'written' | 'letGo' | 'note';
  readonly message: string;
  readonly [detail: string]: unknown;
}

export function cutLine(of: WitnessFacts): Line {
  const { namespace, chunkId, nodeId, unitId, partition, cutOffset, cutKnown, nextOffset, keysAtStake } = of;
  const keys = keysAtStake === null ? 'keys not counted yet' : `${keysAtStake} keys, deletions not counted`;
  const where = cutKnown ? `from offset ${cutOffset}` : 'from an offset that it cannot say';
  const message =
    `${namespace} partition ${partition}: the log lost ${where} to ${nextOffset} what ${chunkId} on ${unitId} of ` +
    `${nodeId} holds (${keys})`;
  return { event: 'cut', message, partition, chunkId, nodeId, unitId, cutOffset, cutKnown, nextOffset, keysAtStake };
}

/** Witnesses of one replica, in all its partitions. */
export function byReplica(witnesses: readonly WitnessFacts[]): readonly (readonly WitnessFacts[])[] {
  const found = new Map<string, WitnessFacts[]>();
  for (const each of witnesses) {
    const key = `${each.nodeId}/${each.unitId}@${each.generation}`;
    found.set(key, [...(found.get(key) ?? []), each]);
  }
  return [...found.values()];
}

/**
 * [safety] Lets go of replicas whose loss is accepted or brought back: of each chunk one is built anew and readable
 * before the next is touched, so that a failure in the middle leaves copies (I14).
 */
export async function* letGoAll(
  nodes: WitnessNodes,
  witnesses: readonly WitnessFacts[],
  signal: AbortSignal,
): AsyncGenerator<Line> {
  for (const cuts of byReplica(witnesses)) {
    const [first] = cuts;
    if (first === undefined) continue;
    if (signal.aborted) return;
    await nodes.letGo(cuts);
    await nodes.rebuilt(first, signal);
    const { chunkId, nodeId, unitId } = first;
    const message = `${chunkId} on ${unitId} of ${nodeId} was built anew from the log and can be read`;
    yield { event: 'letGo', message, chunkId, nodeId, unitId };
  }
}

/** What people lose for good, and, with `yes`, the end of its witnesses. */
export async function* acceptLoss(
  world: { readonly nodes: WitnessNodes; readonly log: Log },
  order: { readonly namespace: string; readonly partition?: number | undefined; readonly yes: boolean },
  signal: AbortSignal,
): AsyncGenerator<Line> {
  const { nodes } = world;
  const all = await nodes.witnessesOf(order.namespace, []);
  const wanted = all.filter(({ partition }) => order.partition === undefined || partition === order.partition);
  for (const each of wanted) yield cutLine(each);
  let holes = 0;
  for await (const line of letPass(world, order)) {
    holes++;
    yield line;
  }
  if (wanted.length === 0 && holes > 0) {
    if (!order.yes)
      yield { event: 'note', message: 'nothing was changed; with --yes what would be let go is gone for good' };
    return;
  }
  if (wanted.length === 0) {
    yield {
      event: 'note',
      message: `no replica of ${order.namespace} holds what its log lost: there is nothing to let go`,
    };
    return;
  }
  if (!order.yes) {
    const message = `nothing was changed; with --yes these replicas are built anew from the log, and what it lost is gone for good`;
    yield { event: 'note', message };
    return;
  }
  const [whole, partial] = inWhole(byReplica(wanted), byReplica(all));
  for (const cuts of partial) yield { event: 'note', message: partialMessage(cuts) };
  yield* letGoAll(nodes, whole.flat(), signal);
}

/** A replica is built anew as a whole: all its cuts must be among those decided about. */
export function inWhole(
  decided: readonly (readonly WitnessFacts[])[],
  all: readonly (readonly WitnessFacts[])[],
): readonly [(readonly WitnessFacts[])[], (readonly WitnessFacts[])[]] {
  const whole: (readonly WitnessFacts[])[] = [];
  const partial: (readonly WitnessFacts[])[] = [];
  for (const cuts of decided) {
    const same = all.find(([of]) => of?.nodeId === cuts[0]?.nodeId && of?.unitId === cuts[0]?.unitId);
    (same?.length === cuts.length ? whole : partial).push(cuts);
  }
  return [whole, partial];
}

export function partialMessage(cuts: readonly WitnessFacts[]): string {
  const { chunkId, nodeId } = cuts[0] as WitnessFacts;
  return `${chunkId} on ${nodeId} is a witness of other partitions too and is left alone: decide about them as well`;
}
