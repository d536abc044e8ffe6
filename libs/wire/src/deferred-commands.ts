import { argumentOverheadBytes } from './request-parser';
import type { RespServerLimits } from './resp-server-limits';

/** What a command costs while it waits: its arguments, and a view of each. */
export interface DeferredCommand {
  readonly args: readonly Buffer[];
  readonly bytes: number;
}

/** Commands that a client sent to be carried out later or never, in order: what MULTI queues. */
export class DeferredCommands {
  /** Of those that wait. */
  bytes = 0;
  private commands: DeferredCommand[] = [];
  private next = 0;
  private released = false;
  private readonly waiting: (() => void)[] = [];

  get count(): number {
    return this.commands.length - this.next;
  }

  /** They are carried out now, before anything sent after them. */
  get due(): boolean {
    return this.released && this.count > 0;
  }

  /**
   * Keeps one more, or says why there is no room. It waits for as long as the client likes: copied, so that nothing else
   * that arrived with it is kept.
   */
  add(
    args: readonly Buffer[],
    limits: Pick<RespServerLimits, 'deferredCommandsMax' | 'deferredBytesMax'>,
  ): string | undefined {
    const { deferredCommandsMax, deferredBytesMax } = limits;
    const bytes = args.reduce((sum, { length }) => sum + length + argumentOverheadBytes, 0);
    if (this.count >= deferredCommandsMax) return `more than ${deferredCommandsMax} commands are queued`;
    if (this.bytes + bytes > deferredBytesMax)
      return `the commands that are queued have more than ${deferredBytesMax} bytes`;
    const copy = Buffer.concat(args);
    let at = 0;
    this.commands.push({ args: args.map(({ length }) => copy.subarray(at, (at += length))), bytes });
    this.bytes += bytes;
    return undefined;
  }

  release(): void {
    this.released = true;
  }

  /** The next one that is due. */
  take(): DeferredCommand | undefined {
    const command = this.due ? this.commands[this.next++] : undefined;
    if (command) this.bytes -= command.bytes;
    if (this.count === 0) this.clear();
    return command;
  }

  /** Runs `action` now, or after the last of them that are due has begun. */
  behind(action: () => void): void {
    if (this.due) this.waiting.push(action);
    else action();
  }

  /** The last of them has begun: true. */
  over(): true {
    for (const action of this.waiting.splice(0)) action();
    return true;
  }

  clear(): void {
    this.commands = [];
    this.next = 0;
    this.bytes = 0;
    this.released = false;
  }
}
