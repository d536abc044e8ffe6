import {
  acceptLoss,
  FoldStore,
  type HeardPortal,
  type Line,
  type Portals,
  repair,
  type RepairOrder,
  stillStopped,
  stillWriting,
  WitnessNodes,
} from '@levee/audit';
import { doorCode, Failure, type Logger, messageOf } from '@levee/kernel';
import { type Log, systemClock, systemTimers } from '@levee/log';
import { isFrozen } from '@levee/cluster';
import { refusal } from './found';
import type { Portal } from './portal';

/** A portal that was heard within this time must have stopped before a repair writes. */
const heardWithinMs = 30_000;

/** What people decide about a log that lost something; one order at a time in this process. */
export class LogRepairs {
  private readonly nodes: WitnessNodes;
  private readonly portals: Portals;
  private busy = false;

  constructor(
    private readonly log: Log,
    private readonly portal: Portal,
    private readonly logger: Logger,
  ) {
    const world = { clock: systemClock, timers: systemTimers, logger, network: portal.network };
    const asked = portal.authenticator === undefined ? world : { ...world, clusterKey: portal.clusterKey };
    this.nodes = new WitnessNodes({ ...world, clusterKey: portal.clusterKey, state: () => portal.view.state });
    const heard = (): readonly HeardPortal[] => this.heard();
    this.portals = {
      stillWriting: (binlog, partitions) => stillWriting(heard(), { binlog, partitions }, asked),
      stillStopped: (binlog, partitions, signal) => stillStopped(heard, { binlog, partitions }, asked, signal),
    };
  }

  /** Lines of JSON; a failure behind the first line is the last one. */
  repair(order: RepairOrder, signal: AbortSignal): AsyncGenerator<object> {
    const { log, nodes, portals } = this;
    const state = () => this.portal.view.state;
    const openStore = () => FoldStore.temporary();
    const world = { log, nodes, state, clock: systemClock, openStore, portals };
    const run = (stop: AbortSignal): AsyncGenerator<Line> => this.beside(order, () => repair(world, order, stop));
    return this.lines('a repair', order, run, signal);
  }

  acceptLoss(
    order: { readonly namespace: string; readonly partition?: number | undefined; readonly yes: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<object> {
    const { log, nodes, portals } = this;
    return this.lines('an accepted loss', order, (stop) => acceptLoss({ nodes, log, portals }, order, stop), signal);
  }

  /** A freeze of writes stands for repairs too: none begins, and one under way is waited for. */
  private async *beside(
    { namespace, yes }: { readonly namespace: string; readonly yes: boolean },
    run: () => AsyncGenerator<Line>,
  ): AsyncGenerator<Line> {
    const { writtenBeside, view } = this.portal;
    if (yes) writtenBeside.add(namespace);
    try {
      const frozen = view.state.namespace(namespace);
      if (yes && frozen !== undefined && frozen.frozenBy !== null) throw refusal(isFrozen(frozen));
      yield* run();
    } finally {
      writtenBeside.delete(namespace);
    }
  }

  private heard(): readonly HeardPortal[] {
    const nowMs = systemClock.monotonicMs();
    const portals = [...this.portal.heard.all('portal')]
      .filter(({ receivedMonotonicMs }) => nowMs - receivedMonotonicMs <= heardWithinMs)
      .map(({ beat: { id, address } }) => ({ id, address }));
    const own = { id: this.portal.config.instance, address: this.portal.respAddress };
    return portals.some(({ address }) => address === own.address) ? portals : [...portals, own];
  }

  private async *lines(
    what: string,
    order: object,
    run: (signal: AbortSignal) => AsyncGenerator<Line>,
    signal: AbortSignal,
  ): AsyncGenerator<object> {
    if (this.busy)
      throw new Failure('LIMIT', 'a repair, or an accepted loss, is under way through this portal: wait for its end');
    this.busy = true;
    this.logger.warn({ order }, `${what} of a log begins`);
    try {
      yield* run(signal);
    } catch (error) {
      const code = error instanceof Failure ? doorCode(error.code) : 'INTERNAL';
      this.logger.error({ order, error }, `${what} of a log ended early`);
      yield { code, message: messageOf(error) };
    } finally {
      this.busy = false;
    }
  }
}
