import { murmur2 } from '@levee/kernel';
import { type RespClient, RespError, type RespReply } from '@levee/wire';
import type { RawChangePage, RawWatch, WatchWish } from '../client/reach';
import { parseWatchToken, type WatchPositions } from '../client/watch-token';
import { DefiniteError, type LeveeError, UnavailableError } from '../errors';
import { doorError, passing } from './door-errors';
import { denialBy, type DoorLink, type PortalDoor } from './portal-door';
import type { RequestsChoice } from './requests-choice';
import { doorFor } from './rendezvous';
import { isChanges, isPositions, textOf } from './replies';

/** A portal answers within this, also when nothing changes. */
const blockMs = 2_000;
const answerMs = 10_000;
const pageChanges = 500;

interface Line {
  readonly door: PortalDoor;
  readonly client: RespClient;
  readonly link: DoorLink;
  refusal: string | undefined;
}

/** A watch by way of portals, on a connection of its own. Another portal goes on where one has failed. */
export class PortalWatch implements RawWatch {
  positions!: WatchPositions;
  private line: Line | undefined;
  private closed = false;
  private cancelPause = (): void => undefined;
  private readonly filter: readonly (string | Buffer)[];
  private readonly keyHash: number;
  private readonly aborted = (): void => this.close();

  private constructor(
    private readonly namespace: string,
    private readonly choice: RequestsChoice,
    private readonly wish: WatchWish,
  ) {
    const { key, prefix, signal } = wish;
    this.filter = key ? ['KEY', key] : prefix ? ['PREFIX', prefix] : [];
    this.keyHash = murmur2(key ?? prefix ?? Buffer.from(namespace, 'utf8'));
    signal?.addEventListener('abort', this.aborted, { once: true });
  }

  /** Resolves once it is known from where on changes are told. */
  static async open(namespace: string, choice: RequestsChoice, wish: WatchWish): Promise<PortalWatch> {
    if (wish.signal?.aborted === true)
      throw new DefiniteError('ABORTED', 'watch: it was aborted', { cause: wish.signal.reason });
    const watch = new PortalWatch(namespace, choice, wish);
    try {
      watch.positions = await watch.begin();
    } catch (error) {
      watch.close();
      throw error;
    }
    return watch;
  }

  async page(): Promise<RawChangePage | undefined> {
    const { log, offsets, mayMiss } = this.positions;
    const at = [...offsets].map(([partition, offset]) => `${partition}:${offset}`);
    const gaps = mayMiss ? ['GAPS'] : [];
    const limits = ['BLOCK', String(blockMs), 'COUNT', String(pageChanges)];
    const args = ['LV.CHANGES', log, ...limits, ...this.filter, ...gaps, 'AT', ...at];
    const reply = await this.ask(args, isChanges, Infinity);
    if (!reply) return undefined;
    const [next, ...facts] = reply;
    const positions = { log, mayMiss, offsets: new Map(next.map((text) => numbersOf(textOf(text)))) };
    const changes = [];
    for (let i = 0; i + 4 < facts.length; i += 5) {
      const [key, said, position, timestampMs, expiresAtMs] = facts.slice(i, i + 5) as [
        Buffer,
        RespReply,
        string,
        number,
        number,
      ];
      const [partition, nextOffset] = numbersOf(position);
      const error = said instanceof RespError ? doorError(said.text, false) : undefined;
      changes.push({
        key,
        partition,
        nextOffset,
        timestampMs,
        expiresAtMs,
        error,
        value: Buffer.isBuffer(said) ? said : null,
      });
    }
    this.positions = positions;
    return { changes, positions };
  }

  close(): void {
    // A signal may live as long as its process, and would keep every watch that it was given to.
    this.wish.signal?.removeEventListener('abort', this.aborted);
    this.closed = true;
    this.cancelPause();
    this.hangUp();
  }

  private async begin(): Promise<WatchPositions> {
    const { from, deadlineAtMs } = this.wish;
    if (from !== 'now' && from !== 'beginning') return parseWatchToken(from);
    const reply = await this.ask(['LV.CHANGES', from.toUpperCase()], isPositions, deadlineAtMs);
    if (!reply) throw new DefiniteError('ABORTED', 'watch: it was ended before it began');
    const [log, ...positions] = reply.map(textOf);
    return { log: log as string, offsets: new Map(positions.map(numbersOf)), mayMiss: from === 'beginning' };
  }

  /** Until somebody answers; `undefined`: it was closed. Rejects with what no other portal would say otherwise. */
  private async ask<Answer extends RespReply>(
    args: readonly (string | Buffer)[],
    isAnswer: (reply: RespReply) => reply is Answer,
    deadlineAtMs: number,
  ): Promise<Answer | undefined> {
    const { limits, world } = this.choice;
    for (let attempts = 0; !this.closed; attempts++) {
      const line = this.connected();
      const reply = line ? await this.answerOf(line, args, deadlineAtMs) : nobody;
      const isKnown = reply instanceof RespError || isFailure(reply) || isAnswer(reply);
      const answer = isKnown ? reply : this.strange(line?.door);
      if (this.closed) return undefined;
      if (answer instanceof RespError) {
        const failure = doorError(answer.code === 'LVNAMESPACE' ? (line?.refusal ?? answer.text) : answer.text, false);
        if (!passing.has(answer.code)) throw failure;
      } else if (!isFailure(answer)) return answer;
      const denial = denialBy(this.choice.doors);
      if (denial) throw denial;
      if (deadlineAtMs <= world.clock.monotonicMs())
        throw answer instanceof RespError ? doorError(answer.text, false) : answer;
      this.hangUp();
      const leftMs = deadlineAtMs - world.clock.monotonicMs();
      const mostMs = Math.min(leftMs, limits.retryPauseMsMax, limits.retryPauseMs * 2 ** Math.min(attempts, 16));
      await new Promise<void>((resolve) => {
        const cancel = world.timers.after(world.random.next() * mostMs, resolve);
        this.cancelPause = () => {
          cancel();
          resolve();
        };
      });
    }
    return undefined;
  }

  private strange(door: PortalDoor | undefined): LeveeError {
    return new UnavailableError('NO_PORTAL', `watch: ${door?.name} answered with what is no answer to it`);
  }

  private answerOf(
    { client, door }: Line,
    args: readonly (string | Buffer)[],
    deadlineAtMs: number,
  ): Promise<RespReply | LeveeError> {
    const { clock } = this.choice.world;
    const leftMs = Math.max(1, deadlineAtMs - clock.monotonicMs());
    return new Promise((resolve) =>
      client.send(args, Math.min(answerMs, leftMs), (failure, reply) => {
        if (!failure) return resolve(reply);
        // That this call had little time says nothing of the portal.
        if (!this.closed && clock.monotonicMs() < deadlineAtMs) door.suspect(failure.message);
        resolve(door.denied ?? new UnavailableError('NO_PORTAL', `watch: ${failure.message}`));
      }),
    );
  }

  private connected(): Line | undefined {
    if (this.line?.door.up === true) return this.line;
    this.hangUp();
    const door = doorFor(this.keyHash, this.choice.doors);
    if (!door) return undefined;
    const client = door.newClient(() =>
      client.send(['LV.USE', this.namespace], answerMs, (failure, reply) => {
        if (!failure) line.refusal = reply instanceof RespError ? reply.text : undefined;
      }),
    );
    const link: DoorLink = {
      get outstanding() {
        return client.outstanding;
      },
      renew: (why) => client.renew(why),
      // The door closes with its client.
      close: () => this.close(),
    };
    const line: Line = { door, client, link, refusal: undefined };
    door.links.add(link);
    this.line = line;
    return line;
  }

  private hangUp(): void {
    const { line } = this;
    this.line = undefined;
    line?.door.links.delete(line.link);
    line?.client.close();
  }
}

const nobody = new UnavailableError('NO_PORTAL', 'watch: no portal answers');
const isFailure = (answer: RespReply | LeveeError): answer is LeveeError => answer instanceof Error;

const numbersOf = (position: string): [partition: number, offset: number] => {
  const colon = position.indexOf(':');
  return [Number(position.slice(0, colon)), Number(position.slice(colon + 1))];
};
