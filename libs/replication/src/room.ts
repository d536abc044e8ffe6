import { messageOf } from '@levee/kernel';
import { entryErrorText, type NetworkBudget, type ReplySlot, type RespConnection } from '@levee/wire';

interface Large {
  readonly reply: ReplySlot;
  readonly connection: RespConnection<undefined>;
  readonly bytes: number;
  /** Code of the refusal. */
  readonly else: 'LVNOTREADY' | 'LVCOPYBUSY';
}

/**
 * Makes a large answer once there is room for its bytes, which then count as the connection's own; else refuses in time
 * with a code that sends the asker to another node, or makes it ask again.
 */
export function whenThereIsRoom(
  buffers: NetworkBudget,
  { reply, connection, bytes, else: code }: Large,
  answer: () => void,
): void {
  const turn = buffers.take(bytes, connection);
  const begin = (): void => {
    reply.promise(buffers, bytes);
    answer();
  };
  if (turn === undefined) return begin();
  turn.then(begin, (error: unknown) =>
    reply.error(code === 'LVNOTREADY' ? entryErrorText(code, messageOf(error)) : `${code} ${messageOf(error)}`),
  );
}
