import { StoreFailure } from '../store-errors';
import { dataCommand, integerArg, keyPlaces, word, type DataCall, type DoorCommand } from './door-command';
import { CallbackAppend, CallbackRead, GetRead, SetAppend, type Found } from './door-operations';
import { summarize } from './failure-summary';

/** GET SET MGET MSET DEL UNLINK EXISTS STRLEN TYPE TTL PTTL EXPIRETIME PEXPIRETIME. */
export const stringCommands: readonly DoorCommand[] = [
  dataCommand({
    name: 'GET',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: keyPlaces.oneKey,
    summary: 'Value of a key',
    run: ({ args, reply, order, session, consistency }) =>
      order.read(new GetRead(args[1] as Buffer, consistency, session, reply)),
  }),
  dataCommand({
    name: 'SET',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: keyPlaces.oneKey,
    summary: 'Sets a key [EX seconds | PX ms | EXAT second | PXAT ms]',
    run: set,
  }),
  dataCommand({
    name: 'SETEX',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: keyPlaces.oneKey,
    summary: 'Sets a key that expires after seconds',
    run: (call) => setWithin(call, 1000),
  }),
  dataCommand({
    name: 'PSETEX',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: keyPlaces.oneKey,
    summary: 'Sets a key that expires after milliseconds',
    run: (call) => setWithin(call, 1),
  }),
  dataCommand({
    name: 'MGET',
    arity: -2,
    flags: ['readonly'],
    keys: keyPlaces.manyKeys,
    summary: 'Values of keys',
    run: mget,
  }),
  dataCommand({
    name: 'MSET',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: keyPlaces.pairs,
    summary: 'Sets keys; not atomic: an error says how many failed in which way',
    run: mset,
  }),
  ...['DEL', 'UNLINK'].map((name) =>
    dataCommand({
      name,
      arity: -2,
      flags: ['write'],
      keys: keyPlaces.manyKeys,
      summary: 'Deletes keys; counts those a session read saw before',
      run: del,
    }),
  ),
  dataCommand({
    name: 'EXISTS',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: keyPlaces.manyKeys,
    summary: 'How many of the keys exist',
    run: (call) =>
      readAll(call, call.args.slice(1), (results) => {
        const failure = results.find((result) => result instanceof StoreFailure && !isUnreadable(result));
        if (failure instanceof StoreFailure) call.reply.error(failure.text);
        else call.reply.integer(results.filter((result) => result !== undefined).length);
      }),
  }),
  reader('STRLEN', 'Length of the value', (found, { reply }) => reply.integer(found?.value.length ?? 0)),
  reader('TYPE', 'string or none', (found, { reply }) => reply.simple(found ? 'string' : 'none')),
  reader('TTL', 'Seconds to live; -1 no expiry, -2 no key', (found, call) =>
    call.reply.integer(remaining(found, (ms) => Math.round((ms - call.context.store.expiryNowMs()) / 1000))),
  ),
  reader('PTTL', 'Milliseconds to live; -1 no expiry, -2 no key', (found, call) =>
    call.reply.integer(remaining(found, (ms) => ms - call.context.store.expiryNowMs())),
  ),
  reader('EXPIRETIME', 'Second of expiry; -1 no expiry, -2 no key', (found, { reply }) =>
    reply.integer(remaining(found, (ms) => Math.round(ms / 1000))),
  ),
  reader('PEXPIRETIME', 'Millisecond of expiry; -1 no expiry, -2 no key', (found, { reply }) =>
    reply.integer(remaining(found, (ms) => ms)),
  ),
];

function reader(
  name: string,
  summary: string,
  answer: (found: Found | undefined, call: DataCall) => void,
): DoorCommand {
  return dataCommand({
    name,
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: keyPlaces.oneKey,
    summary,
    run: (call) =>
      call.order.read(
        new CallbackRead(call.args[1] as Buffer, call.consistency, call.session, (result) => {
          if (result instanceof StoreFailure) call.reply.error(result.text);
          else answer(result, call);
        }),
      ),
  });
}

function remaining(found: Found | undefined, of: (expiresAtMs: number) => number): number {
  if (!found) return -2;
  return found.expiresAtMs === 0 ? -1 : Math.max(0, of(found.expiresAtMs));
}

const isUnreadable = (result: unknown): boolean => result instanceof StoreFailure && result.code === 'LVUNREADABLE';

function set(call: DataCall): void {
  const { args, reply } = call;
  if (args.length === 3) return put(call, args[2] as Buffer, null);
  let expiresAtMs: number | null = null;
  for (let i = 3; i < args.length; i++) {
    const option = word(args, i);
    const refusal = refusedSetOptions[option];
    if (refusal !== undefined) return reply.error(`LVUNSUPPORTED SET … ${option}: ${refusal}`);
    const expiry = expiryOptions[option];
    if (!expiry || expiresAtMs !== null || i + 1 >= args.length) return reply.error('ERR syntax error');
    const n = integerArg(args, ++i);
    if (n === undefined) return reply.error('ERR value is not an integer or out of range');
    expiresAtMs = expiry(n, call.context.store.expiryNowMs());
    if (n <= 0 || !isTime(expiresAtMs)) return reply.error("ERR invalid expire time in 'set' command");
  }
  put(call, args[2] as Buffer, expiresAtMs);
}

function setWithin(call: DataCall, unitMs: number): void {
  const { args, reply } = call;
  const n = integerArg(args, 2);
  if (n === undefined) return reply.error('ERR value is not an integer or out of range');
  const expiresAtMs = call.context.store.expiryNowMs() + n * unitMs;
  if (n <= 0 || !isTime(expiresAtMs))
    return reply.error(`ERR invalid expire time in '${word(args, 0).toLowerCase()}' command`);
  put(call, args[3] as Buffer, expiresAtMs);
}

function put(call: DataCall, value: Buffer, expiresAtMs: number | null): void {
  const key = call.args[1] as Buffer;
  const record = call.context.store.encode(key, value, expiresAtMs);
  if (record instanceof StoreFailure) return call.reply.error(record.text);
  call.order.write(new SetAppend(key, record, call.ack, call.session, call.reply));
}

const isTime = (ms: number): boolean => ms > 0 && ms < Number.MAX_SAFE_INTEGER - 1;

const expiryOptions: Readonly<Record<string, (n: number, nowMs: number) => number>> = {
  EX: (n, nowMs) => nowMs + n * 1000,
  PX: (n, nowMs) => nowMs + n,
  EXAT: (n) => n * 1000,
  PXAT: (n) => n,
};

const readBeforeWrite =
  'a write that depends on a read of the same key cannot be decided by a log that many writers append to; ' +
  'it comes with sequenced namespaces';
const refusedSetOptions: Readonly<Record<string, string>> = {
  NX: readBeforeWrite,
  XX: readBeforeWrite,
  GET: readBeforeWrite,
  KEEPTTL: readBeforeWrite,
};

function mget(call: DataCall): void {
  readAll(call, call.args.slice(1), (results) => {
    const failure = results.find((result) => result instanceof StoreFailure);
    if (failure instanceof StoreFailure) return call.reply.error(failure.text);
    let bytes = 0;
    for (const result of results as (Found | undefined)[]) bytes += result?.value.length ?? 0;
    if (bytes > multiReplyBytesMax)
      return call.reply.error(`LVLIMIT a reply of ${bytes} bytes: at most ${multiReplyBytesMax}; ask for fewer keys`);
    call.reply.write((writer) => {
      writer.array(results.length);
      for (const result of results as (Found | undefined)[]) {
        if (result) writer.bulk(result.value);
        else writer.null();
      }
    });
  });
}

/** Of one MGET. */
const multiReplyBytesMax = 64 * 1024 * 1024;

/** Reads keys side by side; `done` gets the results in their order. */
function readAll(
  call: DataCall,
  keys: readonly Buffer[],
  done: (results: readonly (Found | undefined | StoreFailure)[]) => void,
): void {
  const results = new Array<Found | undefined | StoreFailure>(keys.length);
  let left = keys.length;
  keys.forEach((key, i) =>
    call.order.read(
      new CallbackRead(key, call.consistency, call.session, (result) => {
        results[i] = result;
        if (--left === 0) done(results);
      }),
    ),
  );
}

function mset(call: DataCall): void {
  const { args, reply } = call;
  if (args.length % 2 === 0) return reply.error("ERR wrong number of arguments for 'mset' command");
  const records: (readonly [Buffer, Buffer])[] = [];
  for (let i = 1; i < args.length; i += 2) {
    const key = args[i] as Buffer;
    const record = call.context.store.encode(key, args[i + 1] as Buffer, null);
    const problem = record instanceof StoreFailure ? record : call.context.store.keyProblem(key);
    if (problem) return reply.error(problem.text);
    records.push([key, record as Buffer]);
  }
  const failures: StoreFailure[] = [];
  let left = records.length;
  for (const [key, record] of records) {
    const finished = (failure: StoreFailure | undefined): void => {
      if (failure) failures.push(failure);
      if (--left > 0) return;
      if (failures.length === 0) reply.ok();
      else reply.error(summarize('set', records.length, failures));
    };
    call.order.write(new CallbackAppend(key, record, call.ack, call.session, finished));
  }
}

/** The tombstone is appended whatever the read before it says; that read only counts. */
function del(call: DataCall): void {
  const keys = call.args.slice(1);
  const failures: StoreFailure[] = [];
  let existed = 0;
  let uncounted: StoreFailure | undefined;
  let left = keys.length;
  const seen = new Set<string>();
  for (const key of keys) {
    const repeated = seen.size !== seen.add(key.toString('latin1')).size ? false : true;
    const read = new CallbackRead(key, 'session', call.session, (result) => {
      if (result instanceof StoreFailure && !isUnreadable(result)) uncounted = result;
      else if (result !== undefined && !repeated) existed++;
    });
    call.order.read(read);
    const finished = (failure: StoreFailure | undefined): void => {
      if (failure) failures.push(failure);
      if (--left > 0) return;
      if (failures.length > 0) call.reply.error(summarize('deleted', keys.length, failures));
      else if (uncounted) call.reply.error(`LVUNCOUNTED deleted, but how many existed is unknown: ${uncounted.text}`);
      else call.reply.integer(existed);
    };
    call.order.write(new CallbackAppend(key, null, call.ack, call.session, finished), read);
  }
}
