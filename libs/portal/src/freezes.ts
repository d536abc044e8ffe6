import { unknownNamespace } from '@levee/cluster';
import type { NamespaceState } from '@levee/events';
import { type FreezeWait, writerLimits, WritersHeard } from '@levee/journal';
import { Failure, isoTime } from '@levee/kernel';
import type { Log } from '@levee/log';
import { refusal } from './found';
import type { Portal } from './portal';

/** How a freeze of writes, or a thaw, gets on. */
export interface FreezeReport {
  readonly name: string;
  readonly frozenBy: string | null;
  readonly frozenReason: string | null;
  readonly frozenAt: string | null;
  readonly frozenSeq: number | null;
  /** Nothing of any portal can come to the binlog any more until the thaw. */
  readonly confirmed: boolean;
  /** Frozen: who may still write. Thawed: who may not have heard of it. */
  readonly waiting: readonly FreezeWait[];
}

/** What portals say of freezes; reads heartbeats only while somebody asks. */
export class Freezes {
  private readonly heard: WritersHeard;
  private reading: Promise<void> | undefined;

  constructor(
    log: Log,
    private readonly portal: Portal,
  ) {
    const onlyHere = (): readonly string[] | undefined => (portal.isOnlyWriter ? [portal.incarnation] : undefined);
    this.heard = new WritersHeard(log, portal.config.topics, { clock: portal.clock, onlyHere });
  }

  async report(name: string): Promise<FreezeReport> {
    await this.read();
    const namespace = this.namespace(name);
    const { frozenBy, frozenReason, frozenAtMs, frozenSeq, freezeConfirmedSeq, seq } = namespace;
    const confirmed = freezeConfirmedSeq !== null;
    // Whatever was decided of it since the thaw: who has read that has read the thaw.
    const waiting = frozenBy === null ? this.heard.behind(seq) : confirmed ? [] : this.heard.freezeWaits(namespace);
    const frozenAt = frozenAtMs === null ? null : isoTime(frozenAtMs);
    return { name, frozenBy, frozenReason, frozenAt, frozenSeq, confirmed, waiting };
  }

  /**
   * The incarnations that people mean when they say that a portal has ended. Fails with BAD_REQUEST when nobody is
   * called so, and when it was heard just now.
   */
  async endedOf(names: readonly string[]): Promise<string[]> {
    if (names.length === 0) return [];
    await this.read();
    const all = this.heard.all();
    return names.flatMap((name) => {
      const meant = all.filter((of) => of.incarnation === name || of.process === `portal ${name}`);
      const silent = meant.filter(({ silentMs }) => silentMs > writerLimits.quietMsMax);
      if (silent.length > 0) return silent.map(({ incarnation }) => incarnation);
      const why =
        meant.length > 0
          ? `${name} was heard ${Math.round((meant[0]?.silentMs ?? 0) / 100) / 10} s ago: it has not ended`
          : `no portal, or run of one, is called ${name}: ${all.map((of) => `${of.process} (${of.incarnation})`).join(', ')}`;
      throw new Failure('BAD_REQUEST', why);
    });
  }

  private read(): Promise<void> {
    return (this.reading ??= this.heard.read().finally(() => (this.reading = undefined)));
  }

  private namespace(name: string): NamespaceState {
    const { state } = this.portal.view;
    const namespace = state.namespace(name);
    if (namespace === undefined || namespace.state === 'deleted') throw refusal(unknownNamespace(state, name));
    return namespace;
  }
}
