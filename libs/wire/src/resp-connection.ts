import { restMsAtFirst } from './between-commands';
import type { ConnectionHost } from './connection-host';
import { DeferredCommands } from './deferred-commands';
import type { ByteStream } from './network';
import { ReplySlot, type SlotOwner } from './reply-slot';
import { ReplyWriter, type RespProtocol } from './reply-writer';
import { type CommandArguments, RequestParser } from './request-parser';
import { TakenOutput } from './taken-output';
import { UnfinishedCommand } from './unfinished-command';
import { webRequestFailure } from './web-request';

/** One client: requests parsed in order, replies written in the same order however they complete. */
export class RespConnection<C = unknown> implements SlotOwner {
  protocol: RespProtocol = 2;
  /** As set by CLIENT SETNAME or HELLO … SETNAME. */
  name = '';
  context!: C;
  lastActiveMs: number;
  /** How long its client, with an answer to everything, let pass before it asked again: the longest of the last times. */
  longestRestMs = restMsAtFirst;
  dirty = false;
  /** Among those who wait for their turn. */
  waitsForTurn = false;
  closed = false;
  /** When the last reply was written and the connection ended from this side. */
  hungUpAtMs: number | undefined;
  private slots: ReplySlot[] = [];
  private firstSlot = 0;
  /** Bytes of replies that are complete but not yet handed to the socket. */
  private heldBytes = 0;
  private bufferedBytes = 0;
  private readonly deferred = new DeferredCommands();
  /** Input in memory, as the host was told last. */
  private toldInputBytes = 0;
  /** Of commands that are not answered yet. */
  private outstandingBytes = 0;
  /** Commands since the others had their turn. */
  private begunInTurn = 0;
  /** No further command is begun before this one is answered. */
  private holder: ReplySlot | undefined;
  /** What the host was told that it holds. */
  private toldBytes = 0;
  private ending = false;
  /** Commands wait, because too much is under way. */
  private stalled = false;
  /** And so many of them that no more is read. */
  private deaf = false;
  /** Nor before its turn, so that much input of few does not keep others waiting. */
  private resting = false;
  private readonly unfinished = new UnfinishedCommand();
  private readonly taken: TakenOutput;
  /** When the client sent its last byte; it may still read. */
  private inputEndedAtMs: number | undefined;
  private readonly parser: RequestParser;
  readonly remoteAddress: string;
  readonly localAddress: string;

  constructor(
    readonly id: number,
    private readonly socket: ByteStream,
    readonly host: ConnectionHost<C>,
  ) {
    this.lastActiveMs = host.monotonicMs();
    this.taken = new TakenOutput(this.lastActiveMs);
    this.remoteAddress = `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`;
    this.localAddress = `${socket.localAddress ?? '?'}:${socket.localPort ?? 0}`;
    const request = (args: CommandArguments): boolean => this.request(args);
    const isStranger = (): boolean => host.isStranger(this);
    this.parser = new RequestParser(request, host.limits, isStranger, request);
    socket.on('data', (chunk: Buffer) => this.received(chunk));
    socket.on('drain', () => {
      this.taken.tookAll(host.monotonicMs());
      // Commands may go on, and with none left a client that has ended is hung up on.
      host.markDirty(this);
    });
    socket.on('end', () => {
      this.inputEndedAtMs = host.monotonicMs();
      host.markDirty(this);
    });
  }

  /** Closed, or half closed for so long that whoever is there can hardly be told from somebody who hung up. */
  get gone(): boolean {
    if (this.closed) return true;
    return this.host.monotonicMs() - (this.inputEndedAtMs ?? Infinity) > this.host.limits.halfClosedWaitMs;
  }

  /** Commands whose replies are not complete or not written. */
  get outstanding(): number {
    return this.slots.length - this.firstSlot;
  }

  /** Reply bytes waiting in this process for the client to take them. */
  get pendingBytes(): number {
    return this.heldBytes + this.socket.writableLength;
  }

  /** It has not taken what it was sent. */
  get takesSlowly(): boolean {
    return this.pendingBytes > this.host.limits.crowdedPauseBytes;
  }

  /** Sent by the client, and begun later if at all. */
  get bufferedInputBytes(): number {
    return this.bufferedBytes + this.deferred.bytes;
  }

  /** Everything that it keeps in memory here, both ways. */
  get holdBytes(): number {
    return this.pendingBytes + this.bufferedInputBytes + this.outstandingBytes;
  }

  /** Of replies that were written and that the client has not taken: nothing but the client keeps them here. */
  get untakenBytes(): number {
    return this.socket.writableLength;
  }

  /** For how long the client has taken nothing of what waits for it; 0 when nothing does. */
  untakenMs(nowMs: number): number {
    return this.taken.untakenMs(nowMs, this.untakenBytes);
  }

  /** Ends a connection whose command does not come to its end. */
  endIfUnfinished(nowMs: number): void {
    const { unfinishedMs, bytesPerMsMin } = this.host.limits;
    const { sinceMs } = this.unfinished;
    if (sinceMs === undefined || this.ending || this.closed) return;
    if (nowMs - sinceMs <= unfinishedMs + this.bufferedBytes / bytesPerMsMin) return;
    this.newSlot().error(
      `ERR Protocol error: a command was not complete ${Math.round(nowMs - sinceMs)} ms after it began`,
    );
    this.endAfterReplies();
  }

  /** An out-of-band message, between replies. [safety] To a client of RESP2 it would be the answer to something. */
  push(build: (writer: ReplyWriter) => void): void {
    if (!this.closed && !this.ending && this.protocol === 3) this.deferred.behind(() => this.newSlot().write(build));
  }

  get deferredCommands(): number {
    return this.deferred.count;
  }

  /** Keeps a command for `beginDeferred`, or says why there is no room for it. */
  defer(args: readonly Buffer[]): string | undefined {
    return this.deferred.add(args, this.host.limits);
  }

  dropDeferred(): void {
    this.deferred.clear();
  }

  /**
   * Begins what was kept, in order and before anything that was sent after this command, as a pipeline is begun: its
   * replies follow the one to this command. It goes on though the client hangs up its side, or the server closes.
   */
  beginDeferred(): void {
    this.deferred.release();
  }

  /** Whoever keeps commands waiting and sends nothing more has given up. */
  hasAbandonedDeferred(nowMs: number): boolean {
    const waits = this.deferred.count > 0 && !this.deferred.due;
    return waits && nowMs - this.lastActiveMs > this.host.limits.deferredSilentMs;
  }

  /** Reads no further request, writes every reply owed, then hangs up. */
  endAfterReplies(): void {
    if (this.ending) return;
    this.ending = true;
    this.parser.stop();
    this.recount();
    this.socket.resume();
    this.host.markDirty(this);
  }

  destroy(): void {
    this.closed = true;
    this.parser.stop();
    this.slots = [];
    this.firstSlot = 0;
    this.heldBytes = 0;
    this.outstandingBytes = 0;
    this.unfinished.sinceMs = undefined;
    this.bufferedBytes = 0;
    this.deferred.clear();
    this.host.bufferedChanged(this, -this.toldInputBytes);
    this.toldInputBytes = 0;
    this.socket.destroy();
    this.host.heldChanged(-this.toldBytes);
    this.toldBytes = 0;
  }

  slotDone(bytes: number, costBytes: number): void {
    if (this.closed) return;
    this.heldBytes += bytes;
    this.outstandingBytes -= costBytes;
    this.host.markDirty(this);
  }

  waitFor(slot: ReplySlot): void {
    this.holder = slot;
  }

  slotGrows(bytes: number): void {
    if (this.closed) return;
    this.outstandingBytes += bytes;
    this.tell();
  }

  /** Writes the replies that are complete up to the first that is not, in one write. */
  flush(): void {
    this.dirty = false;
    if (!this.stalled) this.begunInTurn = 0;
    if (this.closed) return;
    const { slots, firstSlot } = this;
    let end = firstSlot;
    let bytesMax = 0;
    for (; end < slots.length && (slots[end] as ReplySlot).done; end++) {
      const slot = slots[end] as ReplySlot;
      if (!slot.whole) bytesMax += slot.bytesMax;
    }
    if (end > firstSlot) this.writeSlots(end, bytesMax);
    this.tell();
    // It may be the one that the crowd is closed for.
    if (this.closed) return;
    if (this.pendingBytes > this.host.limits.outputBytesMax) return this.host.slowClient(this, this.pendingBytes);
    if (this.stalled) this.host.wantsTurn(this);
    else this.hangUpIfOver();
  }

  /** Goes on with what waited while others had their turn. True: large input is read again. */
  takeTurn(): boolean {
    this.begunInTurn = 0;
    if (this.closed) return false;
    this.resumeReading();
    const { resting } = this;
    this.resting = false;
    if (resting && !this.deaf && !this.closed) this.socket.resume();
    this.hangUpIfOver();
    return resting;
  }

  /** What the client still sends is thrown away, so that it gets the last reply and not a reset. */
  private hangUpIfOver(): void {
    const isOver = this.ending ? !this.deferred.due : this.inputEndedAtMs !== undefined && !this.stalled;
    if (!isOver || this.closed || this.outstanding > 0) return;
    this.hungUpAtMs ??= this.host.monotonicMs();
    this.socket.end();
  }

  /** Lets the host know what this connection holds now: once a tick, not once a command. */
  tell(): void {
    if (this.closed) return;
    const { holdBytes } = this;
    if (holdBytes === this.toldBytes) return;
    const deltaBytes = holdBytes - this.toldBytes;
    this.toldBytes = holdBytes;
    this.host.heldChanged(deltaBytes);
  }

  private writeSlots(end: number, bytesMax: number): void {
    let out = Buffer.allocUnsafe(bytesMax);
    let at = 0;
    for (let i = this.firstSlot; i < end; i++) {
      const slot = this.slots[i] as ReplySlot;
      const { whole } = slot;
      if (whole) {
        this.send(out.subarray(0, at));
        for (const part of whole) this.send(part);
        out = out.subarray(at);
        at = 0;
      } else at = slot.encodeInto(out, at);
      this.heldBytes -= slot.payloadBytes;
    }
    const keepsWritten = end < this.slots.length && end <= 1024;
    if (!keepsWritten) this.slots = this.slots.slice(end);
    this.firstSlot = keepsWritten ? end : 0;
    this.lastActiveMs = this.host.monotonicMs();
    this.send(out.subarray(0, at));
  }

  private send(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.taken.wrote(bytes.length);
    this.socket.write(bytes);
  }

  private received(chunk: Buffer): void {
    if (this.closed || this.ending) return;
    const nowMs = this.host.monotonicMs();
    if (this.outstanding === 0) this.longestRestMs = Math.max(nowMs - this.lastActiveMs, this.longestRestMs * 0.9);
    this.lastActiveMs = nowMs;
    this.parser.push(chunk);
    this.afterParsing();
    if (this.closed || this.ending) return;
    if (!this.resting && !this.host.readOn(chunk.length)) {
      this.resting = true;
      this.socket.pause();
      this.host.wantsTurn(this);
    }
    if (!this.stalled || this.deaf || this.bufferedBytes <= this.aheadBytesMax) return;
    this.deaf = true;
    this.socket.pause();
    // Replies may take more now: else both sides could wait for each other.
    this.resumeReading();
  }

  private get aheadBytesMax(): number {
    const { inputAheadBytes: most, crowdedPauseBytes: few } = this.host.limits;
    return this.host.crowded || this.host.isStranger(this) ? Math.min(few, most) : most;
  }

  private afterParsing(): void {
    if (this.closed) return;
    const { failure } = this.parser;
    if (failure === webRequestFailure) return this.host.webClient(this);
    if (failure !== undefined && !this.ending) {
      this.newSlot().error(failure);
      this.endAfterReplies();
    }
    this.unfinished.look(this.parser, this.host);
    this.recount();
  }

  private recount(): void {
    this.bufferedBytes = this.parser.bufferedBytes;
    const deltaBytes = this.bufferedInputBytes - this.toldInputBytes;
    if (deltaBytes === 0) return;
    this.toldInputBytes += deltaBytes;
    this.host.bufferedChanged(this, deltaBytes);
    this.tell();
  }

  /** False: the parser waits, because too much is under way. */
  private request(args: CommandArguments): boolean {
    this.host.onCommand(this, args, this.newSlot(this.parser.requestBytes));
    return this.mayGoOn() && this.beginDue();
  }

  /** Begins deferred commands that are due; false when the next of them, or the parser, waits. */
  private beginDue(): boolean {
    for (let next = this.deferred.take(); next; next = this.deferred.take()) {
      this.host.onCommand(this, next.args, this.newSlot(next.bytes));
      if (!this.mayGoOn()) return false;
    }
    return this.deferred.over();
  }

  private mayGoOn(): boolean {
    if (this.closed || (this.ending && !this.deferred.due)) return false;
    if (this.overloaded()) this.stalled = true;
    else if (++this.begunInTurn >= this.host.limits.turnCommandsMax) this.goOnLater();
    else return true;
    return false;
  }

  /** The other connections have their turn first. */
  private goOnLater(): void {
    this.stalled = true;
    this.host.markDirty(this);
  }

  private newSlot(costBytes = 0): ReplySlot {
    const slot = new ReplySlot(this, this.protocol, costBytes);
    this.outstandingBytes += costBytes;
    this.slots.push(slot);
    return slot;
  }

  private overloaded(): boolean {
    const { pipelineMax, pipelineBytesMax, outputPauseBytes, inputAheadBytes, crowdedPauseBytes } = this.host.limits;
    if (this.outstanding >= pipelineMax || this.outstandingBytes > pipelineBytesMax) return true;
    if (this.holder !== undefined) {
      if (!this.holder.done) return true;
      this.holder = undefined;
    }
    const { pendingBytes } = this;
    const underWayBytes = pendingBytes + this.outstandingBytes;
    // Whatever others do, it is answered what it asks for one by one.
    if (underWayBytes <= Math.min(crowdedPauseBytes, outputPauseBytes)) return false;
    this.tell();
    if (this.host.crowded) return true;
    return pendingBytes > (this.deaf ? Math.max(outputPauseBytes, inputAheadBytes) : outputPauseBytes);
  }

  private resumeReading(): void {
    if (!this.stalled || this.closed || (this.ending && !this.deferred.due) || this.overloaded()) return;
    this.stalled = false;
    if (this.beginDue()) this.parser.resume();
    this.afterParsing();
    if (!this.stalled && !this.closed && !this.ending && this.parser.hasMore) this.goOnLater();
    if (!this.deaf || this.closed || this.ending) return;
    if (this.stalled && this.bufferedBytes > this.aheadBytesMax / 2) return;
    this.deaf = false;
    if (!this.resting) this.socket.resume();
  }
}
