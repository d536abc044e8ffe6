import { RespClient, type RespCallback, RespError, type RespReply } from '@levee/wire';
import type { LeveeError } from '../errors';
import { doorError } from './door-errors';
import type { DoorLink, PortalDoor } from './portal-door';
import { factsOf, textOf } from './replies';
import type { Joined, SessionMemory } from './session-memory';

/** One connection of a link, as long as it stands. */
export interface LinkLife {
  begun: boolean;
  /** Of the process at its other end; empty until it has said so. */
  incarnation: string;
}

/** What a portal was told of the session, in front of a request that rests on it. */
export interface Joining {
  /** Why it did not take it. */
  refusal: LeveeError | undefined;
}

/** One pipelined connection to a portal, in one namespace, made again when it is lost. */
export class PortalLink implements Joined, DoorLink {
  joined = nothing;
  life: LinkLife = { begun: false, incarnation: '' };
  /** Why the portal gives it no namespace. */
  refusal: string | undefined;
  /** Which log positions of its replies are of. */
  log: string | undefined;
  private takingAnew = false;
  /** The last time that it was told, or what it is told once there is a connection. */
  private joining: Joining = { refusal: undefined };
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
    this.takeNamespace();
    this.client.send(args, deadlineMs, done);
  }

  /**
   * What is sent from now on sees everything that this client wrote or saw. [safety] Unless there is a refusal in what is
   * returned when its answer comes: then it was read without that.
   */
  join(): Joining {
    this.takeNamespace();
    if (this.joined === this.memory.version || !this.client.connected) return this.joining;
    const token = this.memory.token();
    this.joined = this.memory.version;
    if (token !== undefined) this.tell(token, (this.joining = { refusal: undefined }));
    return this.joining;
  }

  private tell(token: string, joining: Joining): void {
    const told = this.memory.current;
    this.ask(['LV.POS', token], (failure, reply) => {
      if (failure) return;
      if (!(reply instanceof RespError)) return void (this.log = this.memory.learn(reply));
      joining.refusal = doorError(reply.text, false);
      // It knows nothing of what was written and seen: what is asked next tells it again.
      this.joined = nothing;
      if (reply.code === 'LVSESSION' && told === this.memory.current) this.joinRefused();
    });
  }

  /** What was written and seen may be right all the same, beside a clock that is not. */
  private joinRefused(): void {
    if (this.memory.letGoOfClock()) this.join();
    else this.startAnew();
  }

  /** The session that the portal knows of this connection is the one of this client from now on. */
  startAnew(): void {
    this.ask(['LV.POS'], (failure, reply) => {
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
    this.joined = nothing;
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
    this.joined = nothing;
    this.refusal = undefined;
    this.log = undefined;
    this.takingAnew = false;
    this.use();
    this.ask(['LV.DOOR'], (failure, reply) => {
      if (!failure) life.incarnation = textOf(factsOf(reply).get('incarnation'));
    });
    const token = this.memory.token();
    if (token === undefined) return this.learn();
    this.joined = this.memory.version;
    // What waits for the connection rests on this.
    this.joining.refusal = undefined;
    this.tell(token, this.joining);
  }

  /** What was refused is asked for again before anything else is. */
  private takeNamespace(): void {
    if (this.refusal !== undefined) this.takeAnew();
  }

  private learn(): void {
    this.ask(['LV.POS'], (failure, reply) => {
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
    this.ask(['LV.USE', this.namespace, 'PIN'], done);
  }

  /** Whatever waits: what others ask rests on it. */
  private ask(args: readonly string[], done: RespCallback): void {
    this.client.send(args, joinMs, done, 'always');
  }
}

const joinMs = 60_000;
/** No version: it was told nothing. */
const nothing = -1;
