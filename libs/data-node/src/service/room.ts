import { messageOf } from '@levee/kernel';
import { entryErrorText, type NetworkBudget, type ReplySlot, type RespConnection } from '@levee/wire';
import { nodeLimits } from '../node-limits';
import type { PageTurns } from './page-turns';

export interface Large {
  readonly reply: ReplySlot;
  readonly connection: RespConnection<unknown>;
  readonly bytes: number;
  /** Code of the refusal. */
  readonly else: 'LVNOTREADY' | 'LVCOPYBUSY';
}

/**
 * Makes a page or a block once it is its connection's turn and there is room for its bytes, which then count as the
 * connection's own; else refuses in time with a code that sends the asker to another node, or makes it ask again.
 */
export function whenThereIsRoom(buffers: NetworkBudget, turns: PageTurns, large: Large, answer: () => void): void {
  const { reply, connection, else: code } = large;
  const bytes = Math.max(large.bytes, nodeLimits.pageBytesMin);
  const refuse = (message: string): void =>
    reply.error(code === 'LVNOTREADY' ? entryErrorText(code, message) : `${code} ${message}`);
  const begin = (): void => {
    reply.promise(buffers, bytes);
    answer();
  };
  turns.enter(connection, {
    begin: (over) => {
      reply.whenDone(over);
      if (reply.abandoned) return refuse('nobody waits for it any more');
      const room = buffers.take(bytes, connection);
      if (room === undefined) begin();
      else room.then(begin, (error: unknown) => refuse(messageOf(error)));
    },
    refuse: (why, message) => {
      if (why === 'limit' && code === 'LVNOTREADY') reply.error(entryErrorText('LVLIMIT', message));
      else refuse(message);
    },
  });
}
