import type { WitnessFacts } from '@levee/wire';
import type { Log } from '@levee/log';
import { letPass } from './let-pass';
import type { WitnessNodes } from './witness-nodes';

/** Portals that are heard, and what they say of partitions that stand still. */
export interface Portals {
  /** Why one of them still takes writes, in words; `undefined` when all of them have said that they stopped. */
  readonly stillWriting: (binlog: string, partitions: readonly number[]) => Promise<string | undefined>;
  /** Waits until all of them take writes again; why not, in words, when that takes too long. */
  readonly stillStopped: (
    binlog: string,
    partitions: readonly number[],
    signal: AbortSignal,
  ) => Promise<string | undefined>;
}

export interface LettingGo {
  readonly nodes: WitnessNodes;
  readonly portals: Portals;
}

/** One thing that is said while people's decision is prepared or carried out. */
export interface Line {
  readonly event: 'cut' | 'difference' | 'conflict' | 'total' | 'written' | 'letGo' | 'note';
  readonly message: string;
  readonly [detail: string]: unknown;
}

export function cutLine(of: WitnessFacts): Line {
  const { namespace, chunkId, nodeId, unitId, partition, cutOffset, cutKnown, nextOffset, keysAtStake } = of;
  const { keys: shown = [], left = false } = of;
  const such = shown.length === 0 ? ',' : ` such as ${shown.join(', ')};`;
  const keys = keysAtStake === null ? 'keys not counted yet' : `${keysAtStake} keys${such} deletions not counted`;
  const where = cutKnown ? `from offset ${cutOffset}` : 'from an offset that it cannot say';
  const message =
    `${namespace} partition ${partition}: the log lost ${where} to ${nextOffset} what ${chunkId} on ${unitId} of ` +
    `${nodeId} holds${left ? ', left of a decision that the journal lost' : ''} (${keys})`;
  const place = { partition, chunkId, nodeId, unitId, cutOffset, cutKnown, nextOffset };
  return { event: 'cut', message, ...place, keysAtStake, keys: shown };
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
 * before the next is touched, so that a failure in the middle leaves copies (I14). What lost decisions left comes last.
 */
export async function* letGoAll(
  { nodes, portals }: LettingGo,
  witnesses: readonly WitnessFacts[],
  signal: AbortSignal,
): AsyncGenerator<Line> {
  const all = byReplica(witnesses);
  const isLeft = ([of]: readonly WitnessFacts[]): boolean => of?.left === true;
  for (const cuts of [...all.filter((of) => !isLeft(of)), ...all.filter(isLeft)]) {
    const [first] = cuts;
    if (first === undefined) continue;
    if (signal.aborted) return;
    await nodes.letGo(cuts);
    const { chunkId, nodeId, unitId } = first;
    if (first.left === true) {
      const message = `what a lost decision left of ${chunkId} in ${unitId} of ${nodeId} is among what that node set aside`;
      yield { event: 'letGo', message, chunkId, nodeId, unitId };
      continue;
    }
    await nodes.rebuilt(first, signal);
    const message = `${chunkId} on ${unitId} of ${nodeId} was built anew from the log and can be read`;
    yield { event: 'letGo', message, chunkId, nodeId, unitId };
  }
  yield* writesGoOn(portals, witnesses, signal);
}

/** Who asks for letting go waits until what stood still goes on, or hears what does not. */
async function* writesGoOn(
  portals: Portals,
  witnesses: readonly WitnessFacts[],
  signal: AbortSignal,
): AsyncGenerator<Line> {
  const [first] = witnesses;
  if (first === undefined || signal.aborted) return;
  const { binlog, namespace } = first;
  const partitions = [...new Set(witnesses.map(({ partition }) => partition))].sort((a, b) => a - b);
  const problem = await portals.stillStopped(binlog, partitions, signal);
  const what = `writes to ${partitions.length} partitions of ${namespace}`;
  yield {
    event: 'note',
    message: problem === undefined ? `${what} go on at every portal` : `${problem}: levee doctor`,
  };
}

/** What people lose for good, and, with `yes`, the end of its witnesses. */
export async function* acceptLoss(
  world: LettingGo & { readonly log: Log },
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
  yield* letGoAll(world, whole.flat(), signal);
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
