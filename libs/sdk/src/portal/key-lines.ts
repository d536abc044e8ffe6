import type { Timers } from '@levee/kernel';
import type { Operation } from './operation';
import type { PortalLink } from './portal-link';

/** The requests of one key that are not answered. */
interface KeyLine {
  readonly keyText: string;
  readonly keyHash: number;
  /** In the order of their calls. */
  readonly queue: Operation[];
  underWay: number;
  isWriting: boolean;
  /** Whom those under way were sent to. */
  link: PortalLink | undefined;
  cancelPause: (() => void) | undefined;
}

export interface LineRules {
  readonly timers: Timers;
  /** Whom to ask for a key now; `undefined`: nobody answers. */
  choose(keyHash: number): PortalLink | undefined;
  /** Sends it, and calls `done` once when it is over or `again` when it should be tried again after a pause. */
  send(operation: Operation, link: PortalLink, done: (again: boolean) => void): void;
  pauseMs(operation: Operation): number;
}

/**
 * Requests of one key are serial (S47): a write is sent when nothing else of its key is under way, reads only beside
 * reads, and all of them to one portal; a read that goes to a node instead counts among them. So a request that failed can be sent again without overtaking a later one, and
 * a key changes its portal when nothing of it is under way.
 */
export class KeyLines {
  private readonly lines = new Map<string, KeyLine>();
  /** By key: reads that are asked elsewhere. */
  private readonly beside = new Map<string, number>();

  constructor(private readonly rules: LineRules) {}

  add(operation: Operation, keyHash: number): void {
    const keyText = operation.request.key.toString('latin1');
    let line = this.lines.get(keyText);
    if (!line) {
      line = { keyText, keyHash, queue: [], underWay: 0, isWriting: false, link: undefined, cancelPause: undefined };
      this.lines.set(keyText, line);
    }
    // One that was asked elsewhere before has its place in the order already.
    putBack(line.queue, operation);
    this.pump(line);
  }

  /** False: something of the key comes before a read that begins now. */
  isFree(keyText: string): boolean {
    const line = this.lines.get(keyText);
    return line === undefined || (!line.isWriting && line.queue.length === 0);
  }

  /** A read that is asked elsewhere begins, beside reads; false: something of its key comes first. Call `leave` when it is over. */
  enter(keyText: string): boolean {
    if (!this.isFree(keyText)) return false;
    this.beside.set(keyText, (this.beside.get(keyText) ?? 0) + 1);
    return true;
  }

  leave(keyText: string): void {
    const left = (this.beside.get(keyText) ?? 1) - 1;
    if (left > 0) this.beside.set(keyText, left);
    else this.beside.delete(keyText);
    const line = this.lines.get(keyText);
    if (line) this.pump(line);
  }

  /** What waits, for whoever looks for those that are too late. */
  *waiting(): Generator<Operation> {
    for (const { queue } of this.lines.values()) yield* queue;
  }

  private pump(line: KeyLine): void {
    const { queue } = line;
    while (queue.length > 0 && !line.cancelPause) {
      const next = queue[0] as Operation;
      if (next.settled) {
        queue.shift();
        continue;
      }
      if (line.isWriting) return;
      if (next.request.isWrite && (line.underWay > 0 || this.beside.has(line.keyText))) return;
      const link = next.isLost ? next.sent?.link : this.rules.choose(line.keyHash);
      if (!link) return this.pause(line, next);
      if (line.underWay > 0 && link !== line.link) return;
      queue.shift();
      this.send(line, next, link);
    }
    if (queue.length === 0 && line.underWay === 0) {
      line.cancelPause?.();
      this.lines.delete(line.keyText);
    }
  }

  private send(line: KeyLine, operation: Operation, link: PortalLink): void {
    line.underWay++;
    line.link = link;
    line.isWriting = operation.request.isWrite;
    this.rules.send(operation, link, (again) => {
      line.underWay--;
      line.isWriting = false;
      if (again) {
        putBack(line.queue, operation);
        if (!line.cancelPause) this.pause(line, operation);
      }
      this.pump(line);
    });
  }

  private pause(line: KeyLine, operation: Operation): void {
    line.cancelPause = this.rules.timers.after(this.rules.pauseMs(operation), () => {
      line.cancelPause = undefined;
      this.pump(line);
    });
  }
}

/** At its place in the order of calls. */
function putBack(queue: Operation[], operation: Operation): void {
  const last = queue.at(-1);
  const at = last && last.seq > operation.seq ? queue.findIndex(({ seq }) => seq > operation.seq) : -1;
  if (at < 0) queue.push(operation);
  else queue.splice(at, 0, operation);
}
