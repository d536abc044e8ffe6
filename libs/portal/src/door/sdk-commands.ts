import {
  acks,
  CallbackAppend,
  CallbackRead,
  consistencies,
  type Ack,
  type Consistency,
  StoreFailure,
  type WrittenAt,
} from '@levee/client';
import type { HeadedValue } from '@levee/codec';
import { viewDirect } from '@levee/cluster';
import { asOffset, asPartition, crc32c, doorCode, messageOf, type Partition } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import type { RangeItem } from '@levee/wire';
import { requestIdLengthMax } from '../repeated-writes';
import {
  dataCommand,
  integerArg,
  keyPlaces,
  plainCommand,
  shown,
  text,
  word,
  type DataCall,
  type DoorCommand,
} from './door-command';
import { ofKey } from './shown-key';
import { isTime } from './string-commands';

/** LV.DOOR LV.DIRECT LV.GET LV.PUT LV.DEL LV.PAGE: what @levee/client asks with; each answer tells where in the log it stands. */
export const sdkCommands: readonly DoorCommand[] = [
  plainCommand({
    name: 'LV.DOOR',
    access: 'user',
    arity: 1,
    flags: ['fast'],
    summary: 'Who answers: the identity of this process, and the version of the commands of @levee/client',
    run: ({ context, reply }) =>
      reply.write((w) => {
        w.map(2).text('incarnation').text(context.incarnation).text('version').integer(1);
      }),
  }),
  dataCommand({
    name: 'LV.DIRECT',
    access: 'read',
    arity: -1,
    flags: ['readonly'],
    keys: keyPlaces.noKeys,
    summary:
      '[version]: how nodes are asked for the keys of the namespace, and its log is followed, as JSON, or notChange; and the time here',
    run: direct,
  }),
  dataCommand({
    name: 'LV.GET',
    access: 'read',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: keyPlaces.oneKey,
    summary:
      'key [consistency]: value (nil without), position that the answer rests on, millisecond of expiry (0 never; of nil: ' +
      'the time by which there is none)',
    run: get,
  }),
  dataCommand({
    name: 'LV.PUT',
    access: 'write',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: keyPlaces.oneKey,
    summary:
      'key value [PX ms | PXAT ms] [ACK level] [ID id [AGAIN incarnation ms]]: sets a key; the position behind the write',
    run: (call) => write(call, call.args[2]),
  }),
  dataCommand({
    name: 'LV.DEL',
    access: 'write',
    arity: -2,
    flags: ['write'],
    keys: keyPlaces.oneKey,
    summary: 'key [ACK level] [ID id [AGAIN incarnation ms]]: deletes a key, there or not; the position behind it',
    run: (call) => write(call, undefined),
  }),
  dataCommand({
    name: 'LV.PAGE',
    access: 'read',
    arity: -4,
    flags: ['readonly'],
    keys: keyPlaces.noKeys,
    summary:
      'from to count [KEYS] [consistency]: keys in byte order; where to go on (nil: the end), the time by which no other is ' +
      'there, then 4 facts a key',
    run: page,
  }),
];

const consistencyOf = (args: readonly Buffer[], at: number): Consistency | undefined =>
  consistencies.find((known) => known === word(args, at).toLowerCase());

/** The time is that by which expiry is judged here: who reads without this portal need not have a clock that is right. */
function direct({ context, args, reply, namespace }: DataCall): void {
  const known = args.length > 1 ? integerArg(args, 1) : undefined;
  if (args.length > 1 && known === undefined) return reply.error('ERR a version is an integer');
  const view = viewDirect(context.state(), namespace.name, known);
  if ('code' in view) return reply.error(`${doorCode(view.code)} ${view.message}`);
  const nowMs = context.store.expiryNowMs();
  // [safety] Who follows the log himself must not answer from one that lost what replicas hold.
  const stopped = [...(namespace.stops?.keys() ?? [])];
  const [logKind] = context.log.description.split(' ', 1);
  reply.text(JSON.stringify({ ...view, nowMs, stopped, logKind, unheardMs: context.unheardMs() }));
}

function get(call: DataCall): void {
  const { args, reply, order, session } = call;
  const key = args[1] as Buffer;
  const consistency = args.length > 2 ? consistencyOf(args, 2) : call.consistency;
  if (consistency === undefined)
    return reply.error(`ERR a consistency is one of ${consistencies.join(', ')}; not '${shown(args, 2)}'`);
  const read: CallbackRead = new CallbackRead(key, consistency, session, (result) => {
    if (result instanceof StoreFailure) return reply.error(ofKey(result, key));
    const { partition } = read;
    // What is absent is so up to where its replica had read, which the session has seen.
    const nextOffset = result ? result.offset + 1 : session.nextOffset(partition);
    reply.write((w) => {
      w.array(3);
      if (result) w.bulk(result.value);
      else w.null();
      // Whoever reads elsewhere next must not find there what has expired here.
      w.simple(`${partition}:${nextOffset}`).integer(result ? result.expiresAtMs : session.clockMs);
    });
  });
  order.read(read);
}

interface WriteOptions {
  readonly expiresAtMs: number | null;
  /** As it was asked for: sent again, a time to live gives another time. */
  readonly expiry: string;
  readonly ack: Ack;
  readonly id: string | undefined;
  /** It was sent before: to which process, and how long ago. */
  readonly again: { readonly incarnation: string; readonly ageMs: number } | undefined;
}

/** A string is what is wrong with them. */
function writeOptions({ args, ack: usual, context }: DataCall, from: number, expires: boolean): WriteOptions | string {
  let expiresAtMs: number | null = null;
  let expiry = '';
  let ack: Ack | undefined = usual;
  let id: string | undefined;
  let again: WriteOptions['again'];
  for (let i = from; i < args.length; i += 2) {
    const option = word(args, i);
    if (i + 1 >= args.length) return 'ERR syntax error';
    if ((option === 'PX' || option === 'PXAT') && expires) {
      if (expiry !== '') return 'ERR syntax error';
      const ms = integerArg(args, i + 1);
      // Whoever asks need not have a clock that is right.
      if (ms !== undefined && ms > 0) expiresAtMs = option === 'PX' ? context.store.expiryNowMs() + ms : ms;
      if (expiresAtMs === null || !isTime(expiresAtMs)) return "ERR invalid expire time in 'lv.put' command";
      expiry = `${option} ${ms}`;
    } else if (option === 'ACK') {
      ack = acks.find((known) => known === word(args, i + 1).toLowerCase());
      if (!ack) return `ERR an ack is one of ${acks.join(', ')}; not '${shown(args, i + 1)}'`;
    } else if (option === 'ID') {
      id = text(args, i + 1);
      if (id === '' || id.length > requestIdLengthMax)
        return `LVLIMIT a request id of ${id.length} characters: it has 1 to ${requestIdLengthMax}`;
    } else if (option === 'AGAIN' && i + 2 < args.length) {
      const ageMs = integerArg(args, i + 2);
      if (ageMs === undefined || ageMs < 0) return 'ERR an age is a number of milliseconds';
      again = { incarnation: text(args, i + 1), ageMs };
      i++;
    } else return 'ERR syntax error';
  }
  if (again && id === undefined) return 'ERR only a write with an id can be sent again';
  return { expiresAtMs, expiry, ack, id, again };
}

/** Sets the key, or deletes it without a value. */
function write(call: DataCall, value: Buffer | undefined): void {
  const { args, reply, context, namespace, order, session } = call;
  const options = writeOptions(call, value ? 3 : 2, value !== undefined);
  if (typeof options === 'string') return reply.error(options);
  const { expiresAtMs, expiry, ack, id, again } = options;
  const key = args[1] as Buffer;
  const { repeated } = context;
  if (again && (again.incarnation !== context.incarnation || !repeated.remembersSince(again.ageMs)))
    return reply.error(
      'LVINDEFINITE nobody knows any more what became of this write when it was sent first: read the key before you repeat it',
    );
  const record = value ? context.store.encode(namespace, key, { value, expiresAtMs }) : null;
  if (record instanceof StoreFailure) return reply.error(ofKey(record, key));
  const done = ({ partition, nextOffset }: WrittenAt): void => reply.simple(`${partition}:${nextOffset}`);
  const failed = (failure: StoreFailure): void => reply.error(ofKey(failure, key));
  const append = (settled: (failure: StoreFailure | undefined, at: WrittenAt) => void): void => {
    const one: CallbackAppend = new CallbackAppend(
      key,
      record as Buffer | HeadedValue | null,
      ack,
      session,
      (failure) => settled(failure, { partition: one.partition, nextOffset: one.nextOffset }),
    );
    order.write(one);
  };
  if (id === undefined) return append((failure, at) => (failure ? failed(failure) : done(at)));
  const same = `${call.user}|${namespace.state.binlog}|${key.toString('latin1')}|${value ? `${value.length}:${crc32c(value)}` : ''}|${expiry}|${ack}`;
  try {
    const { outcome, joined } = repeated.run(
      id,
      same,
      () => new Promise((resolve, reject) => append((failure, at) => (failure ? reject(failure) : resolve(at)))),
    );
    // The original is of another connection: nothing here waits for it before it reads.
    if (joined) reply.holdPipeline();
    outcome.then(
      (at) => {
        session.observe(at.partition, at.nextOffset);
        done(at);
      },
      (error: unknown) => {
        if (!(error instanceof StoreFailure)) return reply.error(`LVINDEFINITE ${messageOf(error)}`);
        const at = positionOf(error);
        if (at) session.observe(at.partition, at.nextOffset);
        failed(error);
      },
    );
  } catch (error) {
    reply.error(error instanceof StoreFailure ? error.text : `ERR ${messageOf(error)}`);
  }
}

/** Of a write that is logged, and not applied everywhere. */
function positionOf({ details: { position } }: StoreFailure): WrittenAt | undefined {
  if (typeof position !== 'string') return undefined;
  const [partition, nextOffset] = position.split(':').map(Number) as [number, number];
  return { partition: asPartition(partition), nextOffset: asOffset(nextOffset) };
}

const pageKeysMax = 10_000;
const pageBytesMax = 1024 * 1024;

function page(call: DataCall): void {
  const { args, reply } = call;
  const count = integerArg(args, 3);
  if (count === undefined || count < 1 || count > pageKeysMax)
    return reply.error(`LVLIMIT a page of '${shown(args, 3)}' keys: it has 1 to ${pageKeysMax}`);
  let keysOnly = false;
  let { consistency } = call;
  for (let i = 4; i < args.length; i++) {
    const known = consistencyOf(args, i);
    if (word(args, i) === 'KEYS') keysOnly = true;
    else if (known) consistency = known;
    else return reply.error('ERR syntax error');
  }
  reply.holdPipeline();
  writePage(call, { count, keysOnly, consistency }).catch((error: unknown) =>
    reply.error(error instanceof StoreFailure ? error.text : `ERR ${messageOf(error)}`),
  );
}

interface PageChoice {
  readonly count: number;
  readonly keysOnly: boolean;
  readonly consistency: Consistency;
}

async function writePage(call: DataCall, { count, keysOnly, consistency }: PageChoice): Promise<void> {
  const { args, reply, context, namespace, session, order } = call;
  const { hashAlgorithm, partitions } = namespace.state;
  await order.written();
  const [, from, to] = args as [Buffer, Buffer, Buffer];
  const choice = { from, to, limit: count, keysOnly, consistency, session };
  const items: RangeItem[] = [];
  let bytes = 0;
  let ended = true;
  for await (const item of context.keyValue.scan(namespace, choice)) {
    items.push(item);
    const size = item.key.length + item.value.length;
    bytes += size;
    reply.gathered(size);
    ended = items.length < count && bytes < pageBytesMax;
    if (!ended) break;
  }
  const last = items.at(-1)?.key;
  reply.write((w) => {
    w.array(2 + 4 * items.length);
    if (ended || !last) w.null();
    else w.bulk(Buffer.concat([last, Buffer.alloc(1)]));
    // Whoever reads elsewhere next must not find there what has expired here.
    w.integer(session.clockMs);
    for (const { key, value, offset, expiresAtMs, error } of items) {
      const partition: Partition = partitionOf(hashOf(key, hashAlgorithm), partitions);
      w.bulk(key)
        .simple(`${partition}:${offset + 1}`)
        .integer(expiresAtMs ?? 0);
      if (error !== undefined) w.error(error);
      else if (keysOnly) w.null();
      else w.bulk(value);
    }
  });
}
