import type { NamespaceState } from '@levee/events';
import { type ClusterView, type ControlTopics, type HeardWriter, WritersHeard } from '@levee/journal';
import { type Clock, type Logger, messageOf, type Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { Reign } from '../reign';
import { Rounds } from '../rounds';

const freezeWatchLimits = { lookMs: 250, evidenceMax: 256, textMax: 256 } as const;

/**
 * [safety] While its master reigns, waits for the word of every portal about freezes that are not confirmed yet, and
 * records the confirmation with who was heard. A portal that says nothing is waited for until it is known that it can
 * write no more (`writerLimits.goneAfterMs`), or people say that it has ended.
 */
export class FreezeWatch {
  private readonly rounds: Rounds;
  private readonly heard: WritersHeard;

  constructor(
    log: Log,
    private readonly view: ClusterView,
    private readonly options: {
      readonly reign: Reign;
      readonly topics: ControlTopics;
      readonly clock: Clock;
      readonly timers: Timers;
      readonly logger: Logger;
      readonly onlyWriters?: (() => readonly string[] | undefined) | undefined;
      readonly writerGoneMs?: number | undefined;
    },
  ) {
    const { topics, clock, onlyWriters: onlyHere, writerGoneMs: goneAfterMs } = options;
    this.heard = new WritersHeard(log, topics, { clock, onlyHere, goneAfterMs });
    this.rounds = new Rounds(options, freezeWatchLimits.lookMs, () => this.round());
  }

  start(): void {
    this.rounds.start();
  }

  stop(): Promise<void> {
    return this.rounds.stop();
  }

  private async round(): Promise<void> {
    // Before the heartbeats are read: whoever may write in spite of it has said before it that it is there.
    const frozen = [...this.view.state.namespaces()].filter(isUnconfirmed);
    if (frozen.length === 0) return this.heard.forgetAll();
    try {
      await this.heard.read();
      for (const namespace of frozen) if (!this.rounds.isOver) await this.judge(namespace);
    } catch (error) {
      this.options.logger.warn({ error: messageOf(error) }, 'what portals say of a freeze could not be read');
    }
  }

  private async judge(before: NamespaceState): Promise<void> {
    // People may have said meanwhile that a portal has ended; a later freeze waits for the next round.
    const namespace = this.view.state.namespace(before.name);
    if (namespace === undefined || namespace.frozenSeq !== before.frozenSeq || !isUnconfirmed(namespace)) return;
    if (this.heard.freezeWaits(namespace).length > 0) return;
    const { name, number, frozenSeq } = namespace;
    const { evidenceMax, textMax } = freezeWatchLimits;
    const portals = this.heard
      .all()
      .slice(-evidenceMax)
      .map((of) => inWords(of, namespace).slice(0, textMax));
    const outcome = await this.options.reign.own('ConfirmFreeze', { name, number, frozenSeq, portals });
    if (outcome.rejectionCode === null)
      this.options.logger.info({ namespace: name, frozenSeq }, 'a freeze of writes is confirmed by every portal');
  }
}

const isUnconfirmed = ({ state, frozenSeq, freezeConfirmedSeq }: NamespaceState): boolean =>
  state === 'active' && frozenSeq !== null && freezeConfirmedSeq === null;

function inWords(
  { process: who, incarnation, word, silentMs }: HeardWriter,
  { freezeWithout }: NamespaceState,
): string {
  const how =
    word?.ended === true
      ? 'has ended'
      : freezeWithout.includes(incarnation)
        ? 'has ended, people say'
        : `silent for ${Math.round(silentMs / 1_000)} s${word === undefined ? '' : ', obeys, or is gone'}`;
  return `${who} ${incarnation}: ${how}`;
}
