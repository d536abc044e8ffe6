import type { NodeDisk } from '@levee/chunk-store';
import type { NodeState } from '@levee/events';
import { type ClusterView, type ControlTopics, submit } from '@levee/journal';
import { type Clock, Failure, failureCode, type Logger, messageOf, type NewId, type Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { NodeIdentity } from '../node-identity';
import { nodeLimits } from '../node-limits';
import { heardOfRival } from './rivals';

export interface NodeFacts {
  readonly identity: NodeIdentity;
  readonly domain: string;
  readonly respAddress: string;
  readonly httpAddress: string;
  readonly featureLevel: number;
}

/**
 * Keeps the node registered: submits RegisterNode until it is decided, and again when the state no longer says what is
 * true. A rejection is logged with its reason and tried again slowly, since people may mend what is wrong.
 */
export class Registration {
  private running = false;
  private isDeposed = false;
  private stopped = false;
  private registered = false;
  /** How often the units have changed, and how often when they were last registered. */
  private unitsVersion = 0;
  private unitsRegistered = 0;
  /** A format that was cancelled, and that this process does nothing for. */
  private formatCancelled: string | undefined;
  private rejection: string | undefined;
  private cancelPause: () => void = () => undefined;

  constructor(
    private readonly log: Log,
    private readonly topics: ControlTopics,
    private readonly view: ClusterView,
    private readonly disk: NodeDisk,
    private readonly options: {
      readonly facts: NodeFacts;
      /** Of commands. */
      readonly clock: Pick<Clock, 'nowMs'>;
      readonly timers: Timers;
      readonly newId: NewId;
      readonly logger: Logger;
    },
  ) {}

  /** Why the node is not registered, in words. */
  get problem(): string | undefined {
    if (this.registered) return undefined;
    return this.rejection ?? 'not registered with a master yet';
  }

  /** Another process took the name: nothing that is assigned to this node is ours any more. */
  get deposed(): boolean {
    return this.isDeposed;
  }

  /** Looks at the state; registers when it does not say that this very process serves this very disk. */
  check(): void {
    if (this.stopped || this.running) return;
    const { identity } = this.options.facts;
    const known = this.view.state.node(identity.nodeId);
    if (this.isOurs(known)) {
      this.registered = true;
      return;
    }
    // Another disk, or a copy of ours, took the name after us: two processes would take it from each other for ever.
    if (this.registered && known !== undefined && !isSelf(known, identity)) {
      this.registered = false;
      this.isDeposed = true;
      const what = known.storeId === identity.storeId ? 'a copy of this disk' : `disk ${known.storeId}`;
      this.rejection = `node ${identity.nodeId} now means ${what} at ${known.respAddress}, not this process: stop one of them`;
      this.options.logger.error({ problem: this.rejection }, 'another process took the name of this node');
      this.stopped = true;
      return;
    }
    this.running = true;
    void this.run().finally(() => (this.running = false));
  }

  /** The disk has other units than before. */
  unitsChanged(): void {
    this.unitsVersion++;
    this.check();
  }

  /** The plan waits until this node has said that nothing is cleared for it any more. */
  formatLeft(planId: string): void {
    if (this.formatCancelled === planId) return;
    this.formatCancelled = planId;
    this.unitsChanged();
  }

  stop(): void {
    this.stopped = true;
    this.cancelPause();
  }

  private isOurs(known: NodeState | undefined): boolean {
    const { identity, respAddress, httpAddress } = this.options.facts;
    return (
      this.unitsVersion === this.unitsRegistered &&
      known !== undefined &&
      known.storeId === identity.storeId &&
      known.incarnation === identity.incarnation &&
      known.respAddress === respAddress &&
      known.httpAddress === httpAddress &&
      known.state !== 'lost'
    );
  }

  private async run(): Promise<void> {
    let pauseMs: number = nodeLimits.registerRetryMinMs;
    while (!this.stopped) {
      try {
        if (await this.registerOnce()) return;
      } catch (error) {
        if (failureCode(error) === 'NODE_ID_TAKEN') this.rejection = messageOf(error);
        this.options.logger.warn({ error: messageOf(error) }, 'registration was not decided; trying again');
      }
      await this.pause(pauseMs);
      pauseMs = Math.min(pauseMs * 2, nodeLimits.registerRetryMaxMs);
    }
  }

  private async registerOnce(): Promise<boolean> {
    const { identity, ...addresses } = this.options.facts;
    const { unitsVersion } = this;
    const units = await Promise.all(
      this.disk.units.map(async (unit) => ({ ...unit, generation: await this.disk.generationOf(unit.unitId) })),
    );
    const { clock, newId } = this.options;
    const id = newId();
    const replaces = await this.lostStore();
    const { formatCancelled } = this;
    const payload = { ...identity, ...addresses, replaces, formatCancelled, units };
    const command = { id, kind: 'RegisterNode', payload, principal: `node ${identity.nodeId}` };
    await submit(this.log, this.topics, command, clock);
    const outcome = await this.view.outcome(id, nodeLimits.registerDeadlineMs);
    if (outcome.rejectionCode === null) {
      this.registered = true;
      this.unitsRegistered = unitsVersion;
      this.rejection = undefined;
      this.options.logger.info({ ...addresses, units: units.length }, 'registered');
      return true;
    }
    this.rejection = `${outcome.rejectionCode}: ${outcome.rejectionMessage ?? ''}`;
    this.options.logger.error({ rejection: this.rejection }, 'the master refused this node');
    return false;
  }

  /**
   * Another disk is known under our name: when nothing speaks for it for a while, this one takes its place, and its
   * replicas are filled from the log. Two live processes of one name must not take it from each other.
   */
  private async lostStore(): Promise<string | undefined> {
    const { identity } = this.options.facts;
    const known = this.view.state.node(identity.nodeId);
    if (known === undefined || known.storeId === identity.storeId) return undefined;
    const rival = await heardOfRival(this.log, this.topics.heartbeats, {
      self: identity,
      silenceMs: nodeLimits.rivalSilenceMs,
      timers: this.options.timers,
    });
    if (rival !== undefined)
      throw new Failure(
        'NODE_ID_TAKEN',
        `${identity.nodeId} with disk ${known.storeId} is alive at ${rival}, this is disk ${identity.storeId} at ` +
          `${this.options.facts.respAddress}: give one of them another LEVEE_NODE_ID`,
      );
    this.options.logger.warn({ replaces: known.storeId }, 'this disk takes the place of one that nobody speaks for');
    return known.storeId;
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.options.timers.after(ms, resolve);
      this.cancelPause = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** This very process with this very disk is what the state knows under the name. */
export const isSelf = (known: NodeState | undefined, { storeId, incarnation }: NodeIdentity): boolean =>
  known?.storeId === storeId && known.incarnation === incarnation;
