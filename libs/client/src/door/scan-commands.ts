import { Breather } from '@levee/chunk-store';
import { messageOf } from '@levee/kernel';
import { slotScanPage, wholeScan, type FenceOf, type SlotScanState } from '../slot-scan';
import { StoreFailure } from '../store-errors';
import { dataCommand, integerArg, keyPlaces, shown, word, type DataCall, type DoorCommand } from './door-command';
import { patternTooLong } from './connection-commands';
import { Glob, globBytesMax } from './glob';

/** SCAN. */
export const scanCommands: readonly DoorCommand[] = [
  dataCommand({
    name: 'SCAN',
    arity: -2,
    flags: ['readonly'],
    keys: keyPlaces.noKeys,
    summary: 'cursor [MATCH pattern] [COUNT n] [TYPE string]: keys in no order, each at least once',
    run: scan,
  }),
];

const countMax = 10_000;

function scan(call: DataCall): void {
  const { args, reply, context, namespace, order } = call;
  const cursor = shown(args, 1);
  if (!/^\d{1,20}$/.test(cursor)) return reply.error('ERR invalid cursor');
  let pattern: Buffer | undefined;
  let count = 10;
  let strings = true;
  for (let i = 2; i < args.length; i += 2) {
    const option = word(args, i);
    if (i + 1 >= args.length) return reply.error('ERR syntax error');
    if (option === 'MATCH') pattern = args[i + 1] as Buffer;
    else if (option === 'TYPE') strings = word(args, i + 1) === 'STRING';
    else if (option === 'COUNT') {
      const n = integerArg(args, i + 1);
      if (n === undefined) return reply.error('ERR value is not an integer or out of range');
      if (n < 1) return reply.error('ERR syntax error');
      count = Math.min(n, countMax);
    } else return reply.error('ERR syntax error');
  }
  if (pattern && pattern.length > globBytesMax) return reply.error(patternTooLong(pattern));
  const scope = { binlog: namespace.state.binlog, user: call.user };
  const state = cursor === '0' ? wholeScan : context.cursors.find(scope, cursor);
  if (state instanceof StoreFailure) return reply.error(state.text);
  const glob = pattern && new Glob(pattern, context.store.limits.keyBytesMax);
  const wanted = (key: Buffer): boolean => strings && (!glob || glob.matches(key));
  // Whoever sends many scans ahead has one at a time.
  reply.holdPipeline();
  page(call, state, count, wanted).then(
    ({ found, next }) => {
      reply.write((w) => {
        w.array(2)
          .text(next ? context.cursors.keep(scope, next, order) : '0')
          .array(found.length);
        for (const key of found) w.bulk(key);
      });
    },
    (error: unknown) => reply.error(error instanceof StoreFailure ? error.text : `ERR ${messageOf(error)}`),
  );
}

async function page(
  { context, namespace, session, consistency }: DataCall,
  state: SlotScanState,
  limit: number,
  wanted: (key: Buffer) => boolean,
): Promise<{ found: Buffer[]; next: SlotScanState | undefined }> {
  const query = { limit, keysOnly: true, session: consistency === 'eventual' ? undefined : session };
  const fenceOf: FenceOf | undefined =
    consistency === 'strong' ? (partition) => context.store.fenceOf(namespace, partition) : undefined;
  const { items, next } = await slotScanPage(context.store.ranges, namespace, state, query, fenceOf);
  const breather = new Breather(context.clock);
  const found: Buffer[] = [];
  for (const { key } of items) {
    if (wanted(key)) found.push(key);
    if (breather.tired()) await breather.breathe();
  }
  return { found, next };
}
