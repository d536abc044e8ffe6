import { Breather } from '@levee/chunk-store';
import {
  type FenceOf,
  type RangeQuery,
  slotScanPage,
  type SlotScanPage,
  slotScanPages,
  type SlotScanState,
  StoreFailure,
  wholeScan,
} from '@levee/client';
import { messageOf } from '@levee/kernel';
import { slotsTotal } from '@levee/keyspace';
import type { ReplyWriter } from '@levee/wire';
import { patternTooLong } from './connection-commands';
import { dataCommand, integerArg, keyPlaces, shown, word, type DataCall, type DoorCommand } from './door-command';
import { Glob, globBytesMax } from './glob';

/** SCAN KEYS RANDOMKEY. */
export const scanCommands: readonly DoorCommand[] = [
  dataCommand({
    name: 'SCAN',
    access: 'read',
    arity: -2,
    flags: ['readonly'],
    keys: keyPlaces.noKeys,
    summary: 'cursor [MATCH pattern] [COUNT n] [TYPE string]: keys in no order, each at least once',
    run: scan,
  }),
  dataCommand({
    name: 'KEYS',
    access: 'read',
    arity: 2,
    flags: ['readonly'],
    keys: keyPlaces.noKeys,
    summary: 'pattern: keys in no order, for small namespaces; looks at 100,000 keys, then refuses: use SCAN',
    run: keys,
  }),
  dataCommand({
    name: 'RANDOMKEY',
    access: 'read',
    arity: 1,
    flags: ['readonly'],
    keys: keyPlaces.noKeys,
    summary: 'Some key, not each with the same chance',
    run: randomKey,
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
  order
    .written()
    .then(() => page(call, state, count, wanted))
    .then(
      ({ found, next }) => {
        reply.write((w) => {
          w.array(2)
            .text(next ? context.cursors.keep(scope, next, order) : '0')
            .array(found.length);
          for (const key of found) w.bulk(key);
        });
      },
      (error: unknown) => reply.error(errorText(error)),
    );
}

function keys(call: DataCall): void {
  const { args, reply, context, order } = call;
  const pattern = args[1] as Buffer;
  if (pattern.length > globBytesMax) return reply.error(patternTooLong(pattern));
  reply.holdPipeline();
  const glob = new Glob(pattern, context.store.limits.keyBytesMax);
  order
    .written()
    .then(() => matchingKeys(call, glob))
    .then(
      (found) => {
        const writeAll = (w: ReplyWriter): void => {
          w.array(found.length);
          for (const key of found) w.bulk(key);
        };
        reply.write(writeAll);
      },
      (error: unknown) => reply.error(errorText(error)),
    );
}

async function matchingKeys(call: DataCall, glob: Glob): Promise<Buffer[]> {
  const { context, namespace, reply } = call;
  const { keysListedMax, keysListedBytesMax, scanPageKeys } = context.store.limits;
  const breather = new Breather(context.clock);
  const found: Buffer[] = [];
  let seen = 0;
  let bytes = 0;
  const tooMany = (what: string): StoreFailure =>
    new StoreFailure('LVLIMIT', `KEYS gives no more than ${what}: use SCAN 0 MATCH pattern, page by page`);
  const { query, fenceOf } = readingOf(call, scanPageKeys);
  for await (const items of slotScanPages(context.store.ranges, namespace, query, fenceOf)) {
    if (reply.abandoned) throw new StoreFailure('LVLIMIT', 'the client has gone');
    seen += items.length;
    if (seen > keysListedMax) throw tooMany(`the keys of a namespace of ${keysListedMax} keys`);
    for (const { key } of items) {
      if (breather.tired()) await breather.breathe();
      if (!glob.matches(key)) continue;
      found.push(key);
      bytes += key.length;
      reply.gathered(key.length);
    }
    if (bytes > keysListedBytesMax) throw tooMany(`${keysListedBytesMax} bytes of keys`);
  }
  return found;
}

/** Of the first keys of some chunk, so that it costs one page whatever the namespace holds. */
function randomKey(call: DataCall): void {
  const { reply, context, order } = call;
  const random = (sides: number): number => Math.floor(context.random.next() * sides);
  const start = random(slotsTotal);
  const from = Buffer.alloc(0);
  const wrapped = [
    { slotStart: start, slotEnd: slotsTotal, from },
    { slotStart: 0, slotEnd: start, from },
  ];
  const spans = wrapped.filter(({ slotStart, slotEnd }) => slotStart < slotEnd);
  reply.holdPipeline();
  order
    .written()
    .then(() => someKeys(call, { spans }))
    .then(
      (some) => {
        const key = some[random(some.length)];
        if (key) reply.bulk(key);
        else reply.null();
      },
      (error: unknown) => reply.error(errorText(error)),
    );
}

const randomOf = 100;

async function someKeys(call: DataCall, from: SlotScanState): Promise<Buffer[]> {
  const { context, namespace } = call;
  const { query, fenceOf } = readingOf(call, randomOf);
  for (let state: SlotScanState | undefined = from; state;) {
    const page: SlotScanPage = await slotScanPage(context.store.ranges, namespace, state, query, fenceOf);
    if (page.items.length > 0) return page.items.map(({ key }) => key);
    state = page.next;
  }
  return [];
}

const errorText = (error: unknown): string => (error instanceof StoreFailure ? error.text : `ERR ${messageOf(error)}`);

/** How pages are read for this call. */
function readingOf(
  { context, namespace, session, consistency }: DataCall,
  limit: number,
): { query: Omit<RangeQuery, 'from' | 'to' | 'fences'>; fenceOf: FenceOf | undefined } {
  return {
    query: { limit, keysOnly: true, session: consistency === 'eventual' ? undefined : session },
    fenceOf: consistency === 'strong' ? (partition) => context.store.fenceOf(namespace, partition) : undefined,
  };
}

async function page(
  call: DataCall,
  state: SlotScanState,
  limit: number,
  wanted: (key: Buffer) => boolean,
): Promise<{ found: Buffer[]; next: SlotScanState | undefined }> {
  const { context, namespace } = call;
  const { query, fenceOf } = readingOf(call, limit);
  const { items, next } = await slotScanPage(context.store.ranges, namespace, state, query, fenceOf);
  const breather = new Breather(context.clock);
  const found: Buffer[] = [];
  for (const { key } of items) {
    if (wanted(key)) found.push(key);
    if (breather.tired()) await breather.breathe();
  }
  return { found, next };
}
