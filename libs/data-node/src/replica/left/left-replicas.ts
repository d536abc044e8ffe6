import { copyStageOf, type HeldGeneration, Replica, type ReplicaDatabase, storedIdentity } from '@levee/chunk-store';
import type { ClusterState } from '@levee/cluster';
import type { AcceptedCut } from '@levee/follow';
import { Failure, messageOf } from '@levee/kernel';
import type { HostedWorld } from '../hosted-world';
import { LeftReplica } from './left-replica';

/** Each has a database open. */
export const leftLimits = { openMax: 8 } as const;

/** What is in a unit generation that no decision names, so far as somebody looked. */
interface Looked {
  readonly replica?: LeftReplica;
  /** In words. */
  readonly holds: string;
  /** It waits until fewer databases are open. */
  readonly postponed?: true;
}

/**
 * [safety] Replicas that lost decisions made, as witnesses of what the logs of their namespaces lost: they may hold the
 * last copy of it (I2). Only one that is whole, and of the very binlog, says anything; it is kept as it is until people
 * have decided.
 */
export class LeftReplicas {
  private readonly looked = new Map<string, Looked>();
  private readonly gone = new Set<string>();
  private stopped = false;

  constructor(
    private readonly world: HostedWorld,
    private readonly clusterId: string,
  ) {}

  get witnesses(): LeftReplica[] {
    return [...this.looked.values()].flatMap(({ replica }) => (replica?.cuts.any === true ? [replica] : []));
  }

  in(key: string): LeftReplica | undefined {
    return this.looked.get(key)?.replica;
  }

  /** One that had to wait can be looked at now. */
  get hasPostponed(): boolean {
    return this.openCount < leftLimits.openMax && [...this.looked.values()].some(({ postponed }) => postponed);
  }

  private get openCount(): number {
    return [...this.looked.values()].filter(({ replica }) => replica !== undefined).length;
  }

  /** People have decided about it: it is among what was set aside. */
  isGone(key: string): boolean {
    return this.gone.has(key);
  }

  /** What is in it, in words, and of which namespace it is a witness. */
  describe(key: string): { readonly holds: string | null; readonly witnessOf: string | null } {
    const { replica, holds = null } = this.looked.get(key) ?? {};
    if (replica?.cuts.problem === undefined) return { holds, witnessOf: null };
    return { holds: replica.cuts.problem, witnessOf: replica.namespace };
  }

  /** Looks what is in it, and compares it with the log. Fails when the log cannot be asked. */
  async look(held: HeldGeneration, state: ClusterState): Promise<void> {
    const key = keyOf(held);
    const before = this.looked.get(key);
    if (this.stopped || (before !== undefined && before.postponed !== true)) return;
    const open = this.openCount;
    if (open >= leftLimits.openMax) {
      const holds = `it was not looked at, since ${open} others are witnesses: decide about them first`;
      if (before === undefined) this.note(key, { holds, postponed: true });
      return;
    }
    const { unitId, generation } = held;
    let db: ReplicaDatabase;
    try {
      db = await this.world.disk.openUnit(unitId, generation);
    } catch (error) {
      return this.note(key, { holds: `it cannot be opened: ${messageOf(error)}` });
    }
    const found = await this.judge(db, held, state).catch(async (error: unknown) => {
      await this.world.disk.closeUnit(unitId, generation);
      throw error;
    });
    if (found.replica === undefined) await this.world.disk.closeUnit(unitId, generation);
    else if (this.stopped) return this.closeOne(found.replica);
    this.note(key, found);
  }

  /** Lets go what people have decided about, by its exact figures; why not, in words. */
  letGo(key: string, accepted: readonly AcceptedCut[]): string | undefined {
    const left = this.in(key);
    if (left === undefined) return `this node keeps no replica in ${key.slice(0, 200)}`;
    const problem = left.cuts.accept(accepted);
    if (problem !== undefined) return problem;
    this.looked.delete(key);
    this.gone.add(key);
    void this.setAside(left).catch((error: unknown) =>
      this.world.logger.error({ key, error: messageOf(error) }, 'what people have decided about is still in its unit'),
    );
    return undefined;
  }

  async close(): Promise<void> {
    this.stopped = true;
    for (const { replica } of this.looked.values()) if (replica !== undefined) await this.closeOne(replica);
    this.looked.clear();
  }

  private note(key: string, found: Looked): void {
    this.looked.set(key, found);
    const { replica, holds } = found;
    this.world.logger.warn({ key, holds: replica?.cuts.problem ?? holds }, 'looked at a unit of a lost decision');
  }

  private async judge(
    db: ReplicaDatabase,
    { unitId, generation }: HeldGeneration,
    state: ClusterState,
  ): Promise<Looked> {
    if ((await copyStageOf(db)) !== 'replica') return { holds: 'it holds no whole replica' };
    const identity = await storedIdentity(db);
    if (identity === undefined) return { holds: 'it holds no replica that can be told' };
    const { chunkId, namespace, binlog } = identity;
    if (identity.unitId !== unitId || identity.generation !== generation || identity.clusterId !== this.clusterId)
      return { holds: `it holds what belongs to ${identity.unitId} in generation ${identity.generation}` };
    const owner = [...state.namespaces()].find((of) => of.binlog === binlog)?.name;
    if (owner === undefined)
      return { holds: `it holds ${chunkId} of ${namespace}, whose binlog ${binlog} is none of this cluster any more` };
    const replica = await Replica.open(db, identity).catch((error: unknown) => messageOf(error));
    if (typeof replica === 'string') return { holds: `it holds ${chunkId}, and cannot be trusted: ${replica}` };
    // What it lost itself would look like deletions.
    if (replica.partitions.some((partition) => replica.rewoundAt(partition)))
      return { holds: `it holds ${chunkId}, and has lost writes of its own` };
    const left = new LeftReplica(this.world, identity, replica, owner);
    try {
      for (const partition of replica.partitions) await left.cuts.look(partition);
    } catch (error) {
      left.cuts.stop();
      throw new Failure('LOG_UNAVAILABLE', messageOf(error), { cause: error });
    }
    if (left.cuts.any) return { holds: chunkId, replica: left };
    left.cuts.stop();
    return { holds: `it holds ${chunkId} as the log of ${namespace} has it: nothing is missing without it` };
  }

  private async setAside(left: LeftReplica): Promise<void> {
    await this.closeOne(left);
    const { unitId, generation } = left.identity;
    await this.world.disk.setAside(unitId, generation, `people have decided about what it holds of ${left.chunkId}`);
  }

  private async closeOne(left: LeftReplica): Promise<void> {
    left.cuts.stop();
    const { unitId, generation } = left.identity;
    await left.current.close().catch(() => undefined);
    await this.world.disk.closeUnit(unitId, generation);
  }
}

export const keyOf = ({ unitId, generation }: Pick<HeldGeneration, 'unitId' | 'generation'>): string =>
  `${unitId}@${generation}`;
