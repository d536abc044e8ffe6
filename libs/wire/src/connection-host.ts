import type { ReplySlot } from './reply-slot';
import type { CommandArguments } from './request-parser';
import type { RespConnection } from './resp-connection';
import type { RespServerLimits } from './resp-server-limits';

/** What a connection needs of its server, and whoever it belongs to. */
export interface ConnectionHost<C> {
  readonly limits: RespServerLimits;
  onCommand(connection: RespConnection<C>, args: CommandArguments, reply: ReplySlot): void;
  /** The connection has replies to write at the end of this tick. */
  markDirty(connection: RespConnection<C>): void;
  /** The connection waits for its turn to go on: see `takeTurn`. */
  wantsTurn(connection: RespConnection<C>): void;
  /** A piece of input came. False: the connection shall read no more before its turn. */
  readOn(bytes: number): boolean;
  bufferedChanged(connection: RespConnection<C>, deltaBytes: number): void;
  /** Bytes that the connection holds, either way, since it was told last. */
  heldChanged(deltaBytes: number): void;
  /** The connections together hold more than they should. */
  readonly crowded: boolean;
  /** Nobody knows who it is, where somebody asks. */
  isStranger(connection: RespConnection<C>): boolean;
  /** It sends HTTP: it is closed, and nothing more of what it sent is carried out. */
  webClient(connection: RespConnection<C>): void;
  slowClient(connection: RespConnection<C>, pendingBytes: number): void;
  /** The connection counts no longer among those of its address: it is trusted. */
  leaveAddress(connection: RespConnection<C>): void;
  monotonicMs(): number;
}
