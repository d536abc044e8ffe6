import type { SlotRange } from '@levee/keyspace';
import type { LocalNamespaceStatus } from '../api';
import type { PortalSide } from '../client/near';
import { type FactsWorld, LocalFacts } from './local-facts';
import { LocalReplica, type ReplicaWorld } from './local-replica';

export type LocalWorld = FactsWorld & Omit<ReplicaWorld, 'slots' | 'stalenessMs'>;

/** A namespace that is kept here: whatever it is now, its replica is of that and of nothing before. */
export class LocalNamespace {
  readonly facts: LocalFacts;
  replica: LocalReplica | undefined;
  private closed = false;

  constructor(
    readonly name: string,
    readonly slots: SlotRange,
    { reach }: Pick<PortalSide, 'reach'>,
    private readonly of: LocalWorld,
  ) {
    this.facts = new LocalFacts(reach, of, () => this.takeAnew());
    this.facts.start();
  }

  /** How old an answer may be: what the client accepts, never more than the namespace does. */
  get stalenessMs(): number {
    return Math.min(this.of.stalenessMs, this.facts.current?.maxStalenessMs ?? Infinity);
  }

  /** The replica, if portals say that it is of the right log. */
  confirmed(nowMs: number): LocalReplica | undefined {
    return this.facts.isConfirmed(nowMs) ? this.replica : undefined;
  }

  status(nowMs: number): LocalNamespaceStatus {
    const { name, replica, facts, stalenessMs } = this;
    const isConfirmed = facts.isConfirmed(nowMs);
    const partitions = (replica?.all ?? []).map((part) => {
      const status = part.status(nowMs, stalenessMs);
      if (!facts.stopped.has(status.partition)) return status;
      const problem = 'its log lost what replicas of nodes hold: portals answer, see LV.STOPS';
      return { ...status, isComplete: false, problem };
    });
    const isComplete = isConfirmed && partitions.length > 0 && partitions.every((part) => part.isComplete);
    const orderProblem = this.of.kept === undefined ? replica?.order.problem : onDisk;
    const problem = facts.problem ?? replica?.problem ?? partitions.find((part) => part.problem !== undefined)?.problem;
    return {
      name,
      isComplete,
      problem: problem ?? (isComplete ? undefined : this.waiting(isConfirmed)),
      orderProblem,
      partitions,
    };
  }

  close(): void {
    this.closed = true;
    this.facts.close();
    this.replica?.close();
  }

  private waiting(isConfirmed: boolean): string {
    if (!isConfirmed) return `no portal has said within ${this.of.stalenessMs} ms that the namespace is still this one`;
    return this.of.log.problem ?? 'it is being read';
  }

  private takeAnew(): void {
    this.replica?.close();
    this.replica = undefined;
    const { current } = this.facts;
    if (current === undefined || this.closed) return;
    const { name, slots } = this;
    this.replica = new LocalReplica(current, { ...this.of, name, slots, stalenessMs: () => this.stalenessMs });
    void this.replica.run();
  }
}

const onDisk = 'scans are left to portals where a replica is kept on disk';
