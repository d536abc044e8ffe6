import { asOffset, asPartition, type Offset, type Partition } from '@levee/kernel';
import { decodeSessionToken, Session, type SessionToken } from '@levee/keyspace';
import type { RespReply } from '@levee/wire';
import { SessionError } from '../errors';
import { factsOf, textOf } from './replies';

/** A connection, as far as sessions go. */
export interface Joined {
  /** Up to here it knows what this client wrote and saw. */
  joined: number;
  /** Which log its positions are of, as far as it is known. */
  readonly log?: string | undefined;
}

/** What this client has written and seen in one namespace, through whichever portal. */
export class SessionMemory {
  private session: Session | undefined;
  /** The session has seen a later time than each portal was told. */
  private untold = false;
  /** Grows with everything new. */
  version = 0;

  /** What a reply on `link` rests on: its portal knows that itself. */
  observe(position: string, link: Joined): void {
    const { session } = this;
    const colon = position.indexOf(':');
    if (!session || colon <= 0) return;
    // It is in an earlier creation of the namespace, or in a later one.
    if (link.log !== undefined && link.log !== session.scope.binlog) return;
    const partition = asPartition(Number(position.slice(0, colon)));
    const nextOffset = asOffset(Number(position.slice(colon + 1)));
    if (partition >= session.scope.partitions || nextOffset <= session.nextOffset(partition)) return;
    session.observe(partition, nextOffset);
    if (link.joined === this.version) link.joined++;
    this.version++;
  }

  /** `undefined` before a portal has told of which log it is. */
  get current(): Session | undefined {
    return this.session;
  }

  /** What an answer of a node rests on, which no portal knows; of a session that is another one by now it says nothing. */
  note(of: Session, partition: Partition, nextOffset: Offset): void {
    if (of !== this.session || nextOffset <= of.nextOffset(partition)) return;
    of.observe(partition, nextOffset);
    this.version++;
  }

  /**
   * A read of this session may have taken something for expired, by a time that the clock of a portal need not have reached: each
   * is told before it is asked again, but `knows`, whose own time that was.
   */
  tellClock(knows?: Joined): void {
    if (knows?.joined === this.version) knows.joined++;
    this.version++;
    this.untold = false;
  }

  /** The same, if portals need not know the time that was seen last. */
  tellClockSeen(): void {
    if (this.untold) this.tellClock();
  }

  /** A portal has found nothing at this time of its clock: what has expired by then is not shown here either (I5). */
  observeClock(clockMs: number): void {
    const { session } = this;
    if (!session || clockMs <= session.clockMs) return;
    session.observeClock(clockMs);
    this.untold = true;
  }

  /** False: it has none. Of a portal whose clock was far ahead; it is told again by who is right. */
  letGoOfClock(): boolean {
    if (!this.session || this.session.clockMs === 0) return false;
    this.session.letGoOfClock(0);
    this.version++;
    return true;
  }

  /** The answer to LV.POS: the session of a connection, which tells a clock, and the log that is returned. */
  learn(reply: RespReply): string | undefined {
    const token = decodeSessionToken(textOf(factsOf(reply).get('session')));
    if ('problem' in token) return undefined;
    this.take(token);
    return token.binlog;
  }

  /** The log lost what was seen, or is another one: what the portal still knows is all there is. */
  startAnew(reply: RespReply): string | undefined {
    this.session = undefined;
    this.version++;
    return this.learn(reply);
  }

  /** Adds what another client wrote and saw. */
  join(text: string): void {
    const token = decodeSessionToken(text);
    if ('problem' in token) throw new SessionError('LVSESSION', token.problem);
    this.take(token);
    this.version++;
  }

  /** `undefined`: nothing was written or seen. */
  token(): string | undefined {
    return this.session && this.version > 0 ? this.session.encode() : undefined;
  }

  private take(token: SessionToken): void {
    const { session } = this;
    // Of a namespace that was created again, what was seen before says nothing.
    if (!session || session.scope.binlog !== token.binlog || session.scope.partitions !== token.partitions)
      this.session = new Session(token);
    this.session?.merge(token);
  }
}
