import { PackedArguments } from './packed-arguments';
import type { ReplySlot } from './reply-slot';
import type { CommandArguments } from './request-parser';
import type { RespConnection } from './resp-connection';
import type { TlsPeer } from './tls/tls-identity';

/** What a door or a node does with commands. Nothing here may throw for what a client sends. */
export interface RespService<C> {
  /** State of a new connection. `peer`: who the client has proved to be by a certificate. */
  open(connection: RespConnection<C>, peer?: TlsPeer): C;
  /** `args[0]` is the command's name as sent. Complete `reply` once, now or later. */
  command(connection: RespConnection<C>, args: readonly Buffer[], reply: ReplySlot): void;
  /** The same of very many arguments; without it they come to `command` as well. */
  many?(connection: RespConnection<C>, args: PackedArguments, reply: ReplySlot): void;
  closed?(connection: RespConnection<C>): void;
  /** Since when nobody knows who it is, by the monotonic clock; `undefined` = it is somebody, or nobody asks. */
  strangerSinceMs?(connection: RespConnection<C>): number | undefined;
  /** So much is under way that whoever has much of it waits before it begins more. */
  readonly busy?: boolean;
}

/** Gives a command to the service. */
export function serve<C>(
  service: RespService<C>,
  connection: RespConnection<C>,
  args: CommandArguments,
  reply: ReplySlot,
): void {
  if (!(args instanceof PackedArguments)) service.command(connection, args, reply);
  else if (service.many) service.many(connection, args, reply);
  else service.command(connection, args.views(), reply);
}
