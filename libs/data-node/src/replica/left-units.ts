import type { HeldGeneration, NodeDisk } from '@levee/chunk-store';
import type { ClusterView } from '@levee/journal';
import { type Logger, messageOf } from '@levee/kernel';
import { keyOf, type LeftReplicas } from './left/left-replicas';

/**
 * Unit generations on the disk that no decision in force names: one that the journal lost gave them out (decision record
 * 0029). They may hold the last copy of something, so nobody clears them, and people are told.
 */
export class LeftUnits {
  private found: readonly HeldGeneration[] = [];
  private listed = false;
  private compared = false;
  private looking = false;
  private trouble: string | undefined;

  /** `replicas`: what they hold, so far as somebody looked. */
  constructor(
    private readonly view: Pick<ClusterView, 'state' | 'short'>,
    private readonly disk: Pick<NodeDisk, 'generations'>,
    private readonly logger: Logger,
    private readonly replicas?: Pick<LeftReplicas, 'look' | 'describe' | 'isGone' | 'hasPostponed'>,
  ) {}

  get all(): readonly HeldGeneration[] {
    return this.found.filter((each) => this.replicas?.isGone(keyOf(each)) !== true);
  }

  /** For LV.STAT. */
  describe(): readonly object[] {
    return this.all.map((each) => ({ ...each, ...this.replicas?.describe(keyOf(each)) }));
  }

  /** Why nothing may be cleared wholesale, in words. */
  get problem(): string | undefined {
    const [first] = this.all;
    return (
      first &&
      `${first.folder} is of a decision that the journal lost, and may hold the last copy of something: remove it first, ` +
        'when nothing is missing'
    );
  }

  /** Once the node is registered: what the state does not name then comes from no decision in force. */
  async look(): Promise<void> {
    if (this.looking || this.view.short !== undefined) return;
    if (this.listed && this.compared && this.replicas?.hasPostponed !== true) return;
    this.looking = true;
    try {
      if (!this.listed) await this.list();
      await this.compare();
    } finally {
      this.looking = false;
    }
  }

  private async list(): Promise<void> {
    try {
      const { state } = this.view;
      // What is free was cleared before: a unit that a node brought back is free in the generation that it found.
      const isLeft = (unitId: string, generation: number): boolean => {
        const unit = state.unit(unitId);
        return unit?.state === 'free' || unit?.generation !== generation;
      };
      this.found = (await this.disk.generations?.(isLeft)) ?? [];
      this.listed = true;
      if (this.found.length > 0)
        this.logger.warn(
          { found: this.found },
          'units are left of decisions that the journal lost; nothing clears them',
        );
    } catch (error) {
      this.warn(error, 'what the units hold could not be listed; trying again');
    }
  }

  /** With the logs of their namespaces, one after the other. */
  private async compare(): Promise<void> {
    try {
      for (const held of this.all) await this.replicas?.look(held, this.view.state);
      this.compared = this.listed;
    } catch (error) {
      this.warn(error, 'what the units hold could not be compared; trying again');
    }
  }

  /** Once for each trouble: it is tried again with every heartbeat. */
  private warn(error: unknown, message: string): void {
    const trouble = messageOf(error);
    if (trouble !== this.trouble) this.logger.warn({ error: trouble }, message);
    this.trouble = trouble;
  }
}
