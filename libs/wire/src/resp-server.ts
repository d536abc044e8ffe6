import { Failure, messageOf, networkOf, RareWarning, silentLogger } from '@levee/kernel';
import type { Clock, Logger, Timers } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import { isBetweenCommands } from './between-commands';
import { Connected } from './connected';
import type { ConnectionHost } from './connection-host';
import type { ByteStream, Network, NetworkListener } from './network';
import { NetworkBudget } from './network-budget';
import type { ReplySlot } from './reply-slot';
import type { CommandArguments } from './request-parser';
import { RespConnection } from './resp-connection';
import { checkRespServerLimits, respServerLimits, type RespServerLimits } from './resp-server-limits';
import { type RespService, serve } from './resp-service';
import { systemNetwork } from './system-network';

export interface RespServerOptions {
  readonly limits?: Partial<RespServerLimits>;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly timers?: Timers;
  readonly network?: Network;
  /** What all connections hold is counted here; one of its own by default. */
  readonly budget?: NetworkBudget;
}

/** What became of the command is not known either. */
const internalError = 'INTERNAL an unexpected error; the log of this process has it';

export interface RespServerStats {
  readonly connections: number;
  /** Taken since the start. */
  readonly connectionsTaken: number;
  readonly commands: number;
  readonly refusedConnections: number;
  readonly closedSlow: number;
  readonly closedIdle: number;
  /** Closed because the connections together held twice what they may. */
  readonly closedCrowded: number;
  /** Closed because they did not say who they are. */
  readonly closedStrangers: number;
  /** Closed because they sent HTTP. */
  readonly closedWeb: number;
  readonly inputBytes: number;
  /** Held in both directions. */
  readonly queuedBytes: number;
}

/** A RESP server: any number of connections, one write per connection and tick. */
export class RespServer<C> implements ConnectionHost<C> {
  readonly limits: RespServerLimits;
  private readonly budget: NetworkBudget;
  private queuedBytes = 0;
  private readonly network: Network;
  private listener: NetworkListener | undefined;
  private readonly logger: Logger;
  private readonly clock: Clock;
  private readonly timers: Timers;
  private readonly webWarning: RareWarning;
  private readonly connected: Connected<RespConnection<C>>;
  private dirty: RespConnection<C>[] = [];
  /** Whose commands or input wait for their turn, in their order. */
  private waiting: RespConnection<C>[] = [];
  private flushScheduled = false;
  /** Of large pieces of input, since the last turn. */
  private readBytes = 0;
  private nextId = 1;
  private inputBytes = 0;
  private cancelSweep: () => void = () => undefined;
  private counts = {
    commands: 0,
    refusedConnections: 0,
    closedSlow: 0,
    closedIdle: 0,
    closedCrowded: 0,
    closedStrangers: 0,
    closedWeb: 0,
  };
  private closing = false;
  private whenEmpty: (() => void) | undefined;

  constructor(
    private readonly service: RespService<C>,
    options: RespServerOptions = {},
  ) {
    this.limits = { ...respServerLimits, ...options.limits };
    checkRespServerLimits(this.limits);
    this.logger = options.logger ?? silentLogger;
    this.clock = options.clock ?? systemClock;
    this.timers = options.timers ?? systemTimers;
    this.network = options.network ?? systemNetwork;
    this.webWarning = new RareWarning(this.logger, this.clock);
    this.connected = new Connected({
      ...this.limits,
      clock: this.clock,
      isStranger: (one) => this.isStranger(one),
      giveWay: (one) => {
        this.counts.closedStrangers++;
        this.leave(one);
      },
    });
    this.budget =
      options.budget ?? new NetworkBudget(this.limits.queuedBytesMax, this.limits.slowClientMs, this.timers);
  }

  /** Resolves with the port (port 0 = any free one); rejects with PORT_IN_USE or LISTEN_FAILED. */
  async listen(port: number, host = '127.0.0.1'): Promise<number> {
    try {
      this.listener = await this.network.listen({ host, port }, (socket) => this.accept(socket));
    } catch (error) {
      const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      const text = inUse ? `port ${host}:${port} is in use` : `cannot listen on ${host}:${port}: ${messageOf(error)}`;
      throw new Failure(inUse ? 'PORT_IN_USE' : 'LISTEN_FAILED', text, { cause: error, details: { host, port } });
    }
    this.sweepLater();
    return this.listener.port;
  }

  /**
   * Accepts nothing new, answers what was asked, then closes; after `drainMs` at once. For `patienceMs` it serves on whoever
   * is asking, and hangs up when a client asks for nothing: many clients fail a command that they sent just then, and none
   * fails one that it sends after it has seen the end.
   */
  async close(drainMs: number, patienceMs = 0): Promise<void> {
    this.closing = true;
    this.cancelSweep();
    const stopped = this.listener?.close();
    if (this.connected.size > 0) {
      const drained = new Promise<void>((resolve) => (this.whenEmpty = resolve));
      const cancelLooks = this.endBetweenCommands(patienceMs);
      const cancel = this.timers.after(drainMs, () => [...this.connected.members].forEach((each) => each.destroy()));
      await drained;
      cancel();
      cancelLooks();
    }
    await stopped;
  }

  stats(): RespServerStats {
    return {
      ...this.counts,
      connections: this.connected.size,
      connectionsTaken: this.nextId - 1,
      inputBytes: this.inputBytes,
      queuedBytes: this.queuedBytes,
    };
  }

  /** Every open connection, for CLIENT LIST and INFO. */
  list(): Iterable<RespConnection<C>> {
    return this.connected.members;
  }

  onCommand(connection: RespConnection<C>, args: CommandArguments, reply: ReplySlot): void {
    this.counts.commands++;
    try {
      serve(this.service, connection, args, reply);
    } catch (error) {
      this.logger.error({ error: messageOf(error), stack: (error as Error).stack }, 'a command failed unexpectedly');
      if (!reply.done) reply.error(internalError);
    }
  }

  markDirty(connection: RespConnection<C>): void {
    if (connection.dirty) return;
    connection.dirty = true;
    this.dirty.push(connection);
    this.flushSoon();
  }

  wantsTurn(connection: RespConnection<C>): void {
    if (connection.waitsForTurn) return;
    connection.waitsForTurn = true;
    this.waiting.push(connection);
    this.flushSoon();
  }

  readOn(bytes: number): boolean {
    if (bytes < largePieceBytes) return true;
    this.readBytes += bytes;
    this.flushSoon();
    return this.readBytes < this.limits.turnInputBytesMax;
  }

  bufferedChanged(_connection: RespConnection<C>, deltaBytes: number): void {
    this.inputBytes += deltaBytes;
    if (deltaBytes <= 0 || this.inputBytes <= this.limits.inputBytesMax) return;
    const largest = this.largest(({ bufferedInputBytes }) => bufferedInputBytes);
    if (largest === undefined) return;
    this.counts.closedCrowded++;
    this.logger.warn(
      { client: largest.remoteAddress, inputBytes: this.inputBytes, inputBytesMax: this.limits.inputBytesMax },
      'commands that clients have sent and that wait fill the memory meant for them: closing who sent most',
    );
    largest.destroy();
  }

  get crowded(): boolean {
    return this.budget.crowded || this.service.busy === true;
  }

  isStranger(connection: RespConnection<C>): boolean {
    return this.service.strangerSinceMs?.(connection) !== undefined;
  }

  heldChanged(deltaBytes: number): void {
    this.queuedBytes += deltaBytes;
    this.budget.count(deltaBytes);
    if (deltaBytes > 0 && this.queuedBytes > this.budget.bytesMax * crowdMax) this.closeLargest();
  }

  webClient(connection: RespConnection<C>): void {
    this.counts.closedWeb++;
    this.webWarning.warn(
      'web',
      { client: connection.remoteAddress },
      'HTTP came in at a RESP door: hung up, and none of it was carried out. Either a client has the wrong port, or a web page tries to command this store through a browser',
    );
    connection.destroy();
  }

  slowClient(connection: RespConnection<C>, pendingBytes: number): void {
    this.counts.closedSlow++;
    this.logger.warn(
      { client: connection.remoteAddress, pendingBytes, outputBytesMax: this.limits.outputBytesMax },
      'a client does not take its replies: closing it',
    );
    connection.destroy();
  }

  leaveAddress(connection: RespConnection<C>): void {
    this.connected.leaveAddress(connection);
  }

  monotonicMs(): number {
    return this.clock.monotonicMs();
  }

  /** Who holds most takes its replies slowest, or sends most ahead; alone it is no crowd. */
  private closeLargest(): void {
    const largest = this.largest(({ holdBytes }) => holdBytes);
    if (largest === undefined || largest.holdBytes + this.budget.bytesMax > this.queuedBytes) return;
    this.counts.closedCrowded++;
    this.logger.warn(
      { client: largest.remoteAddress, heldBytes: largest.holdBytes, queuedBytes: this.queuedBytes },
      'the connections together hold too much: closing the one that holds most',
    );
    largest.destroy();
  }

  private largest(bytesOf: (connection: RespConnection<C>) => number): RespConnection<C> | undefined {
    let largest: RespConnection<C> | undefined;
    for (const each of this.connected.members)
      if (!each.closed && (largest === undefined || bytesOf(each) > bytesOf(largest))) largest = each;
    return largest;
  }

  private endBetweenCommands(patienceMs: number): () => void {
    const untilMs = this.clock.monotonicMs() + patienceMs;
    let cancel: () => void = () => undefined;
    let isOver = false;
    const look = (): void => {
      if (isOver) return;
      const nowMs = this.clock.monotonicMs();
      for (const connection of this.connected.members)
        if (nowMs >= untilMs || isBetweenCommands(connection, nowMs)) connection.endAfterReplies();
      if (nowMs < untilMs) cancel = this.timers.after(quietLookMs, lookOnceRead);
    };
    // A process that was held up has not read what came meanwhile: the next turn of its loop does, before the look.
    const lookOnceRead = (): void => void setImmediate(look);
    if (patienceMs > 0) lookOnceRead();
    else look();
    return () => {
      isOver = true;
      cancel();
    };
  }

  private flushSoon(): void {
    if (this.flushScheduled) return;
    this.flushScheduled = true;
    setImmediate(this.flush);
  }

  /** Replies first: they are what others wait for. */
  private readonly flush = (): void => {
    this.flushScheduled = false;
    this.readBytes = 0;
    const connections = this.dirty;
    this.dirty = [];
    for (const connection of connections) connection.flush();
    if (this.waiting.length > 0) this.giveTurns();
  };

  /** For a while; then what has arrived meanwhile is looked at before it goes on. */
  private giveTurns(): void {
    const connections = this.waiting;
    this.waiting = [];
    const { turnsMs, turnInputBytesMax } = this.limits;
    const endMs = this.clock.monotonicMs() + turnsMs;
    let at = 0;
    let expectedBytes = 0;
    do {
      const connection = connections[at++] as RespConnection<C>;
      connection.waitsForTurn = false;
      if (connection.takeTurn()) expectedBytes += pieceBytes;
    } while (at < connections.length && expectedBytes < turnInputBytesMax && this.clock.monotonicMs() < endMs);
    if (at === connections.length) return;
    this.waiting = connections.slice(at).concat(this.waiting);
    this.flushSoon();
  }

  private accept(socket: ByteStream): void {
    socket.on('error', (error) => this.logger.debug({ error: messageOf(error) }, 'a client connection failed'));
    const address = networkOf(socket.remoteAddress ?? '?');
    const said = this.refusal(address);
    if (said !== undefined) {
      this.counts.refusedConnections++;
      socket.resume();
      socket.on(
        'close',
        this.timers.after(lingerMs, () => socket.destroy()),
      );
      socket.end(said);
      return;
    }
    const connection = new RespConnection<C>(this.nextId++, socket, this);
    this.connected.add(connection, address);
    connection.context = this.service.open(connection, socket.tlsPeer);
    socket.on('close', () => this.connected.remove(connection) && this.leave(connection));
  }

  /** What a connection of this address is told instead of being taken; `undefined`: it is taken. */
  private refusal(address: string): string | undefined {
    // As by a process that is gone: whoever finds the connection ended tries another one.
    if (this.closing) return '';
    const why = this.connected.refusal(address);
    return why && `-ERR ${why}\r\n`;
  }

  private leave(connection: RespConnection<C>): void {
    if (!connection.closed) connection.destroy();
    this.service.closed?.(connection);
    if (this.connected.size === 0) this.whenEmpty?.();
  }

  /** A large reply takes its time; while all hold too much, who takes nothing is the first to go. */
  private untakenMsMax({ pendingBytes, takesSlowly }: RespConnection<C>): number {
    const { slowClientMs, crowdedSlowMs, bytesPerMsMin } = this.limits;
    return this.budget.crowded && takesSlowly ? crowdedSlowMs : slowClientMs + pendingBytes / bytesPerMsMin;
  }

  private sweepLater(): void {
    this.cancelSweep = this.timers.after(sweepMs, () => {
      this.sweep();
      if (!this.closing) this.sweepLater();
    });
  }

  private sweep(): void {
    const now = this.clock.monotonicMs();
    const { idleMs, strangerMs } = this.limits;
    for (const connection of this.connected.members) {
      connection.tell();
      connection.endIfUnfinished(now);
      const silentMs = now - connection.lastActiveMs;
      if (now - (connection.hungUpAtMs ?? now) > lingerMs) connection.destroy();
      else if (connection.untakenMs(now) > this.untakenMsMax(connection))
        this.slowClient(connection, connection.pendingBytes);
      else if (connection.outstanding === 0 && now - (this.service.strangerSinceMs?.(connection) ?? now) > strangerMs) {
        this.counts.closedStrangers++;
        connection.destroy();
      } else if (
        connection.hasAbandonedDeferred(now) ||
        (idleMs > 0 && silentMs > idleMs && connection.outstanding === 0)
      ) {
        this.counts.closedIdle++;
        connection.destroy();
      }
    }
  }
}

const quietLookMs = 5;
/** Of input, as a socket gives it to whom much is sent. */
const pieceBytes = 64 * 1024;
/** What is smaller is no trouble. */
const largePieceBytes = pieceBytes / 2;
/** Times the budget that connections may hold before one is closed: those that are read no more finish first. */
const crowdMax = 2;
const sweepMs = 1_000;
/** How long a client may take to close after this side has. */
const lingerMs = 2_000;
