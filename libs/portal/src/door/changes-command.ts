import { StoreFailure } from '@levee/client';
import { failureCode, messageOf } from '@levee/kernel';
import { ChangeFeed, type ChangePage, type ChangeQuery } from '../changes/change-feed';
import { positionsNow, watchedLogOf } from '../changes/watched-log';
import { dataCommand, integerArg, keyPlaces, shown, text, word, type DataCall, type DoorCommand } from './door-command';

/** LV.CHANGES: what @levee/client watches keys with. It may take long: give it a connection of its own. */
export const changesCommand: DoorCommand = dataCommand({
  name: 'LV.CHANGES',
  access: 'read',
  arity: -2,
  flags: ['readonly'],
  keys: keyPlaces.noKeys,
  summary:
    'NOW | BEGINNING: the log (its topic, @, the id of that topic) and its positions. log [BLOCK ms] [COUNT n] [PREFIX p | KEY k] [GAPS] AT position …: ' +
    'changes in log order; positions to go on at, then 5 facts a change',
  inMulti: 'refused',
  run: (call) => {
    call.reply.holdPipeline();
    const from = word(call.args, 1);
    const work =
      call.args.length === 2 && (from === 'NOW' || from === 'BEGINNING')
        ? tellPositions(call, from)
        : tellChanges(call);
    work.catch((error: unknown) => {
      if (error instanceof StoreFailure) call.reply.error(error.text);
      else call.reply.error(`${failureCode(error) === 'LIMIT' ? 'LVLIMIT' : 'LVUNAVAILABLE'} ${messageOf(error)}`);
    });
  },
});

const blockMsMax = 60_000;
const countMax = 10_000;

async function tellPositions({ context, reply, namespace }: DataCall, from: 'NOW' | 'BEGINNING'): Promise<void> {
  const { watched, offsets } = await positionsNow(context.log, namespace);
  reply.write((w) => {
    w.array(1 + offsets.length).text(watched);
    for (const { partition, startOffset, endOffset } of offsets)
      w.text(`${partition}:${from === 'NOW' ? endOffset : startOffset}`);
  });
}

async function tellChanges(call: DataCall): Promise<void> {
  const { context, reply, connection } = call;
  const query = queryOf(call);
  if (typeof query === 'string') return reply.error(query);
  if (!connection.context.changes) {
    const leave = context.watchers.take(connection.remoteAddress.replace(/:\d+$/, ''));
    connection.context.changes = new ChangeFeed(context.log, context.timers, leave);
  }
  const page = await connection.context.changes.page(query);
  if (connection.closed) connection.context.endChanges();
  writePage(call, page);
}

function writePage({ reply }: DataCall, { changes, positions }: ChangePage): void {
  reply.write((w) => {
    w.array(1 + 5 * changes.length).array(positions.size);
    for (const [partition, offset] of positions) w.text(`${partition}:${offset}`);
    for (const { key, value, partition, offset, timestampMs, expiresAtMs } of changes) {
      w.bulk(key);
      if (value === undefined) w.error(`LVUNREADABLE ${partition}:${offset} the record cannot be interpreted`);
      else if (value === null) w.null();
      else w.bulk(value);
      w.simple(`${partition}:${offset + 1}`)
        .integer(timestampMs)
        .integer(expiresAtMs);
    }
  });
}

/** A string is the error. Throws LVHISTORY for positions of another log. */
function queryOf({ args, namespace }: DataCall): ChangeQuery | string {
  let filter: ChangeQuery['filter'] = { kind: 'all', bytes: Buffer.alloc(0) };
  let [blockMs, count, mayMiss] = [0, 500, false];
  let i = 2;
  for (; i < args.length && word(args, i) !== 'AT'; i++) {
    const option = word(args, i);
    if (option === 'GAPS') mayMiss = true;
    else if (option === 'PREFIX' && i + 1 < args.length) filter = { kind: 'prefix', bytes: args[++i] as Buffer };
    else if (option === 'KEY' && i + 1 < args.length) filter = { kind: 'key', bytes: args[++i] as Buffer };
    else if (option === 'BLOCK' || option === 'COUNT') {
      const n = integerArg(args, ++i);
      const max = option === 'BLOCK' ? blockMsMax : countMax;
      if (n === undefined || n < 0 || n > max || (option === 'COUNT' && n === 0))
        return `LVLIMIT ${option} '${shown(args, i)}': at most ${max}`;
      if (option === 'BLOCK') blockMs = n;
      else count = n;
    } else return 'ERR syntax error';
  }
  // First of all: another log may have fewer partitions.
  const watched = watchedLogOf(namespace, text(args, 1));
  const { partitions } = namespace.state;
  const positions = new Map<number, number>();
  for (i++; i < args.length; i++) {
    const match = /^(\d{1,7}):(\d{1,16})$/.exec(text(args, i));
    const [partition, offset] = [Number(match?.[1]), Number(match?.[2])];
    if (!match || partition >= partitions || !Number.isSafeInteger(offset) || positions.has(partition))
      return `LVSESSION '${shown(args, i)}' is no position: write partition:nextOffset, with each partition below ${partitions} once`;
    positions.set(partition, offset);
  }
  if (positions.size === 0) return 'ERR syntax error: AT and at least one position are missing';
  return {
    namespace,
    watched,
    positions,
    filter: { ...filter, bytes: Buffer.from(filter.bytes) },
    mayMiss,
    count,
    blockMs,
  };
}
