import { RespClient, type RespCallback, RespError, type RespReply } from '@levee/wire';
import type { DoorLink, PortalDoor } from './portal-door';
import { factsOf, textOf } from './replies';
import type { Joined, SessionMemory } from './session-memory';

/** One connection of a link, as long as it stands. */
export interface LinkLife {
  begun: boolean;
  /** Of the process at its other end; empty until it has said so. */
  incarnation: string;
}

/** One pipelined connection to a portal, in one namespace, made again when it is lost. */
export class PortalLink implements Joined, DoorLink {
  joined = 0;
  life: LinkLife = { begun: false, incarnation: '' };
  /** Why the portal gives it no namespace. */
  refusal: string | undefined;
  /** Which log positions of its replies are of. */
  log: string | undefined;
  private takingAnew = false;
  private readonly client: RespClient;

  constructor(
    readonly door: PortalDoor,
    private readonly namespace: string,
    private readonly memory: SessionMemory,
  ) {
    this.client = door.newClient(() => this.begin());
  }

  get outstanding(): number {
    return this.client.outstanding;
  }

  /** Calls `done` once. */
  send(args: readonly (string | Buffer)[], deadlineMs: number, done: RespCallback): void {
    if (this.refusal !== undefined) this.takeAnew();
    this.client.send(args, deadlineMs, done);
  }

  /** What is sent from now on sees everything that this client wrote or saw. */
  join(): void {
    if (this.joined === this.memory.version || !this.client.connected) return;
    const token = this.memory.token();
    this.joined = this.memory.version;
    if (token === undefined) return;
    this.client.send(['LV.POS', token], joinMs, (failure, reply) => {
      if (failure) return;
      if (!(reply instanceof RespError)) this.log = this.memory.learn(reply);
      else if (reply.code === 'LVSESSION') this.joinRefused();
      // [safety] It knows nothing of what was written and seen: what is asked next tells it again.
      else this.joined = 0;
    });
  }

  /** What was written and seen may be right all the same, beside a clock that is not. */
  private joinRefused(): void {
    if (!this.memory.letGoOfClock()) return this.startAnew();
    this.joined = 0;
    this.join();
  }

  /** The session that the portal knows of this connection is the one of this client from now on. */
  startAnew(): void {
    this.client.send(['LV.POS'], joinMs, (failure, reply) => {
      if (!failure && !(reply instanceof RespError)) this.log = this.memory.startAnew(reply);
    });
  }

  /**
   * The namespace is another creation than this connection chose, or was refused: it takes what it is now, and learns its
   * log. [safety] What comes from it comes behind that: nothing of a later creation is taken for one of an earlier one.
   */
  takeAnew(): void {
    if (this.takingAnew) return;
    this.takingAnew = true;
    this.joined = 0;
    this.use();
    this.learn();
  }

  /** Everything under way fails. */
  renew(why: string): void {
    this.client.renew(why);
  }

  close(): void {
    this.client.close();
  }

  /** A connection stands: nothing was sent on it yet. */
  private begin(): void {
    const life = this.life.begun ? { begun: true, incarnation: '' } : this.life;
    life.begun = true;
    this.life = life;
    this.joined = 0;
    this.refusal = undefined;
    this.log = undefined;
    this.takingAnew = false;
    this.use();
    this.client.send(['LV.DOOR'], joinMs, (failure, reply) => {
      if (!failure) life.incarnation = textOf(factsOf(reply).get('incarnation'));
    });
    if (this.memory.token() === undefined) this.learn();
    else this.join();
  }

  private learn(): void {
    this.client.send(['LV.POS'], joinMs, (failure, reply) => {
      this.takingAnew = false;
      if (failure) return;
      if (!(reply instanceof RespError)) this.log = this.memory.learn(reply);
      // It is being made: what is asked once it is there must know its log.
      else if (reply.code === 'LVNAMESPACE') this.refusal ??= reply.text;
    });
  }

  private use(): void {
    const done = (failure: unknown, reply: RespReply): void => {
      if (!failure) this.refusal = reply instanceof RespError ? reply.text : undefined;
    };
    this.client.send(['LV.USE', this.namespace, 'PIN'], joinMs, done);
  }
}

const joinMs = 60_000;
