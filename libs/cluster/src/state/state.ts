import { assert } from '@levee/kernel';
import { Entities } from './entities';
import { entityKey, type ClusterEvent } from './event';
import { checkEvent, checkWhole } from './invariants';

/** The control plane's state: a fold of {@link ClusterEvent}s, which it checks against each other. */
export class ClusterState extends Entities {
  /** Seq of removals seen by {@link absorb}, until {@link settle}. */
  private readonly removedSeqs = new Map<string, number>();

  /**
   * Folds in one event of a decision. A record in the log is a fact: one that does not fit the state means that our
   * code is wrong, so it throws InvariantViolation. Applying the same event again changes nothing.
   */
  evolve(event: ClusterEvent): void {
    const known = this.seqOf(event);
    assert(
      event.entity.seq >= known,
      () => `I6: ${entityKey(event)} of decision ${event.entity.seq} comes after decision ${known}`,
    );
    checkEvent(this, event);
    this.apply(event);
  }

  /**
   * Folds in one event in no particular order, for reading compacted topics and the stretch of the journal that they
   * have run ahead of: what is older than the known value of its entity is ignored. Call {@link settle} at the end.
   */
  absorb(event: ClusterEvent): void {
    const key = entityKey(event);
    const known = Math.max(this.seqOf(event), this.removedSeqs.get(key) ?? 0);
    if (event.entity.seq < known) return;
    if (event.kind === 'removed') this.removedSeqs.set(key, event.entity.seq);
    this.apply(event);
  }

  /** Ends a phase of {@link absorb}: checks everything (throws InvariantViolation), then only {@link evolve} may follow. */
  settle(): void {
    this.removedSeqs.clear();
    checkWhole(this);
  }
}

/** Folds `event` into `state`, which it changes. See {@link ClusterState.evolve}. */
export function evolve(state: ClusterState, event: ClusterEvent): void {
  state.evolve(event);
}

/** Every entity of `state` as an event. */
export function eventsOf(state: ClusterState): Iterable<ClusterEvent> {
  return state.events();
}

/**
 * A candidate: reads like the state below it, and takes events without touching it. `commit` folds them into the
 * state below; while the draft lives nothing else may change that state.
 */
export class ClusterDraft extends ClusterState {
  private readonly pending: ClusterEvent[] = [];
  private committed = false;

  constructor(private readonly target: ClusterState) {
    super(target);
  }

  override evolve(event: ClusterEvent): void {
    assert(!this.committed, 'a draft takes no events after its commit');
    super.evolve(event);
    this.pending.push(event);
  }

  commit(): void {
    assert(!this.committed, 'a draft is committed once');
    this.committed = true;
    for (const event of this.pending) this.target.evolve(event);
  }
}

/** See {@link ClusterDraft}. */
export function draft(state: ClusterState): ClusterDraft {
  return new ClusterDraft(state);
}
