import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { type Clock, type Logger, networkOf, type Timers } from '@levee/kernel';
import type { NetworkBudget } from '@levee/wire';
import type { HttpLimits } from './http-limits';

/** One connection, and what it keeps in memory here. */
class Held {
  /** No request ever came on it. */
  isUnused = true;
  /** Of bodies that are read, twice: their pieces, and the whole that is made of them. */
  bodyBytes = 0;
  toldBytes = 0;
  /** Everything that has moved on it, either way, when it was looked at, and when that was last enough. */
  movedBytes = 0;
  movedAtMs: number;
  takenBytes = 0;
  takenAtMs: number;

  constructor(
    readonly socket: Socket,
    nowMs: number,
  ) {
    this.movedAtMs = nowMs;
    this.takenAtMs = nowMs;
  }

  get bytes(): number {
    return this.bodyBytes + this.socket.writableLength;
  }
}

export interface HttpConnectionsWorld {
  readonly budget: NetworkBudget;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/**
 * The connections of an HTTP door. What bodies and answers keep in memory is counted in the network budget of the
 * process, as it arrives and not as it is promised; who keeps others from it is closed.
 */
export class HttpConnections {
  private readonly all = new Map<Socket, Held>();
  private readonly ofAddress = new Map<string, number>();
  private leaving = false;
  private closing = false;
  private cancelLook: (() => void) | undefined;
  /** Bodies that are not read on before there is room. */
  private readonly paused = new Set<IncomingMessage>();
  readonly counts = { closedSlow: 0, closedCrowded: 0, refused: 0 };

  constructor(
    private readonly server: Server,
    private readonly limits: HttpLimits,
    private readonly world: HttpConnectionsWorld,
  ) {
    server.maxConnections = limits.connectionsMax;
    // Over TLS: once the handshake is over.
    server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', (socket: Socket) => this.opened(socket));
    // Before anybody answers.
    server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      const held = this.all.get(socket);
      if (held) held.isUnused = false;
      if (this.leaving) response.setHeader('connection', 'close');
      else response.once('finish', () => this.closing && socket.end());
    });
    server.on('drop', () => this.counts.refused++);
  }

  get connections(): number {
    return this.all.size;
  }

  get heldBytes(): number {
    let bytes = 0;
    for (const { toldBytes } of this.all.values()) bytes += toldBytes;
    return bytes;
  }

  /** Bytes of a body that have arrived, or, negative, that are let go. */
  body(request: IncomingMessage, deltaBytes: number): void {
    const held = this.all.get(request.socket);
    if (!held) return;
    held.bodyBytes = Math.max(0, held.bodyBytes + deltaBytes * 2);
    this.tell(held);
    if (deltaBytes <= 0) return void this.paused.delete(request);
    if (this.isFar) this.closeLargest();
    if (!this.crowded || held.bodyBytes <= this.limits.smallBytes) return;
    request.pause();
    this.paused.add(request);
  }

  /** Large requests are refused. */
  get crowded(): boolean {
    return this.world.budget.crowded;
  }

  /** From now on every answer ends its connection, so that the next request may find another process. */
  leave(): void {
    this.leaving = true;
  }

  /** Stops listening; resolves when every request under way has its answer, or is hung up on. */
  async stop(): Promise<void> {
    this.hangUp();
    const { drainMs, unusedMs } = this.limits;
    await new Promise<void>((resolve) => {
      // A handshake that stands still is waited for by the server, and nobody here has its connection.
      const cancel = this.world.timers.after(drainMs + unusedMs, resolve);
      this.server.close(() => (cancel(), resolve()));
    });
  }

  /**
   * Hangs up on those on which no request came for a while: Node's server counts them as busy for a minute. After `drainMs`
   * on everybody, since whoever does not take an answer would be waited for without end.
   */
  hangUp(): void {
    if (this.closing) return;
    this.closing = true;
    this.leave();
    const { drainMs, unusedMs } = this.limits;
    const cancelUnused = this.world.timers.after(unusedMs, () => {
      for (const { socket, isUnused } of this.all.values()) if (isUnused) socket.destroy();
    });
    const cancel = this.world.timers.after(drainMs, () => {
      for (const { socket } of this.all.values()) socket.destroy();
    });
    this.server.once('close', () => (cancelUnused(), cancel()));
  }

  private opened(socket: Socket): void {
    const address = networkOf(socket.remoteAddress ?? '?');
    const many = this.ofAddress.get(address) ?? 0;
    if (many >= this.limits.connectionsOfAddressMax) {
      this.counts.refused++;
      return void socket.destroy();
    }
    this.ofAddress.set(address, many + 1);
    const held = new Held(socket, this.world.clock.monotonicMs());
    this.all.set(socket, held);
    socket.once('close', () => {
      const others = (this.ofAddress.get(address) ?? 0) - 1;
      if (others > 0) this.ofAddress.set(address, others);
      else this.ofAddress.delete(address);
      this.all.delete(socket);
      this.world.budget.count(-held.toldBytes);
      held.toldBytes = 0;
      if (this.all.size > 0) return;
      this.cancelLook?.();
      this.cancelLook = undefined;
    });
    this.lookLater();
  }

  private lookLater(): void {
    this.cancelLook ??= this.world.timers.after(this.limits.lookMs, () => {
      this.cancelLook = undefined;
      this.look();
      if (this.all.size > 0) this.lookLater();
    });
  }

  private tell(held: Held): void {
    const deltaBytes = held.bytes - held.toldBytes;
    held.toldBytes = held.bytes;
    if (deltaBytes !== 0) this.world.budget.count(deltaBytes);
  }

  private look(): void {
    const nowMs = this.world.clock.monotonicMs();
    const { untakenMs, bytesPerMsMin } = this.limits;
    for (const held of this.all.values()) {
      this.tell(held);
      this.noteProgress(held, nowMs);
      const waits = held.socket.writableLength;
      if (waits === 0 || nowMs - held.takenAtMs <= untakenMs + waits / bytesPerMsMin) continue;
      this.counts.closedSlow++;
      this.close(held, 'a client does not take its answer: closing it');
    }
    if (this.crowded) this.closeIdle(nowMs);
    if (!this.crowded) this.readOn();
    if (this.isFar) this.closeLargest();
  }

  private noteProgress(held: Held, nowMs: number): void {
    const { socket } = held;
    const takenBytes = socket.bytesWritten - socket.writableLength;
    if (takenBytes > held.takenBytes || socket.writableLength === 0) held.takenAtMs = nowMs;
    held.takenBytes = takenBytes;
    const movedBytes = takenBytes + socket.bytesRead;
    if (held.bytes > 0 && movedBytes - held.movedBytes < this.limits.smallBytes) return;
    held.movedBytes = movedBytes;
    held.movedAtMs = nowMs;
  }

  /** The largest first, until the others fit. */
  private closeIdle(nowMs: number): void {
    const { smallBytes, crowdedMs } = this.limits;
    const idle = [...this.all.values()]
      .filter(({ bytes, movedAtMs }) => bytes > smallBytes && nowMs - movedAtMs > crowdedMs)
      .sort((a, b) => b.bytes - a.bytes);
    for (const held of idle) {
      if (!this.crowded) return;
      this.counts.closedCrowded++;
      this.close(held, 'the connections together hold too much: closing one that moves too little of it');
    }
  }

  /** One after the other: what all of them hold back would be too much again. */
  private readOn(): void {
    for (const request of this.paused) {
      if (this.crowded) return;
      this.paused.delete(request);
      request.resume();
    }
  }

  /** Half more than there should be: whoever holds it has no time to move it. */
  private get isFar(): boolean {
    const { budget } = this.world;
    return budget.usedBytes > budget.bytesMax * 1.5;
  }

  private closeLargest(): void {
    let largest: Held | undefined;
    for (const held of this.all.values()) if (!largest || held.bytes > largest.bytes) largest = held;
    if (!largest || largest.bytes <= this.limits.smallBytes) return;
    this.counts.closedCrowded++;
    this.close(largest, 'the connections together hold too much: closing the one that holds most');
  }

  private close(held: Held, why: string): void {
    const { socket } = held;
    this.world.logger.warn({ client: socket.remoteAddress, heldBytes: held.bytes }, why);
    this.world.budget.count(-held.toldBytes);
    held.toldBytes = 0;
    this.all.delete(socket);
    socket.destroy();
  }
}
