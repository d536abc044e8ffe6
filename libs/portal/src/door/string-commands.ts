import type { HeadedValue } from '@levee/codec';
import { CallbackAppend, CallbackRead, type Found, type NamespaceStore, type Store, StoreFailure } from '@levee/client';
import type { ReplySlot } from '@levee/wire';
import { ArrayReply } from './array-reply';
import {
  dataCommand,
  integerArg,
  keyPlaces,
  word,
  type ArgumentsProblem,
  type DataCall,
  type DoorCommand,
  type DoorContext,
  type ManyArguments,
  type ManyCall,
} from './door-command';
import { GetRead, SetAppend } from './door-operations';
import { summarize, type KeyFailure } from './failure-summary';
import { inWaves } from './many-keys';
import { refusalText, refusedSetOptions } from './refused-commands';
import { ofKey } from './shown-key';

/** GET SET MGET MSET DEL UNLINK EXISTS STRLEN TYPE TTL PTTL EXPIRETIME PEXPIRETIME. */
export const stringCommands: readonly DoorCommand[] = [
  dataCommand({
    name: 'GET',
    access: 'read',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: keyPlaces.oneKey,
    summary: 'Value of a key',
    run: ({ args, reply, order, session, consistency }) =>
      order.read(new GetRead(args[1] as Buffer, consistency, session, reply)),
  }),
  dataCommand({
    name: 'SET',
    access: 'write',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: keyPlaces.oneKey,
    summary: 'Sets a key [EX seconds | PX ms | EXAT second | PXAT ms]',
    problem: (args, { store }, namespace) =>
      expiryProblem(store, namespace, setExpiry(args, store)) ?? valueProblem(store, args[2]),
    run: (call) => put(call, setExpiry(call.args, call.context.store), call.args[2]),
  }),
  dataCommand({
    name: 'SETEX',
    access: 'write',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: keyPlaces.oneKey,
    summary: 'Sets a key that expires after seconds',
    ...setWithin(1_000),
  }),
  dataCommand({
    name: 'PSETEX',
    access: 'write',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: keyPlaces.oneKey,
    summary: 'Sets a key that expires after milliseconds',
    ...setWithin(1),
  }),
  dataCommand({
    name: 'MGET',
    access: 'read',
    arity: -2,
    flags: ['readonly'],
    keys: keyPlaces.manyKeys,
    summary: 'Values of keys; the error in the place of one that is unreadable',
    run: mget,
    runMany: mget,
  }),
  dataCommand({
    name: 'MSET',
    access: 'write',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: keyPlaces.pairs,
    summary: 'Sets keys; not atomic: an error says how many failed in which way',
    problem: msetProblem,
    run: mset,
    runMany: mset,
  }),
  ...['DEL', 'UNLINK'].map((name) =>
    dataCommand({
      name,
      access: 'write',
      arity: -2,
      flags: ['write'],
      keys: keyPlaces.manyKeys,
      summary: 'Deletes keys; counts those a session read saw before',
      run: del,
      runMany: del,
    }),
  ),
  ...['EXISTS', 'TOUCH'].map((name) =>
    dataCommand({
      name,
      access: 'read',
      arity: -2,
      flags: ['readonly', 'fast'],
      keys: keyPlaces.manyKeys,
      summary: name === 'TOUCH' ? 'The same as EXISTS: nothing is evicted' : 'How many of the keys exist',
      run: exists,
      runMany: exists,
    }),
  ),
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
    access: 'read',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: keyPlaces.oneKey,
    summary,
    run: (call) =>
      call.order.read(
        new CallbackRead(call.args[1] as Buffer, call.consistency, call.session, (result) => {
          if (result instanceof StoreFailure) call.reply.error(ofKey(result, call.args[1] as Buffer));
          else answer(result, call);
        }),
      ),
  });
}

function remaining(found: Found | undefined, of: (expiresAtMs: number) => number): number {
  if (!found) return -2;
  return found.expiresAtMs === 0 ? -1 : Math.max(0, of(found.expiresAtMs));
}

const isUnreadable = (result: unknown): result is StoreFailure =>
  result instanceof StoreFailure && result.code === 'LVUNREADABLE';

/** Since 1970 in milliseconds; `null` = never; a string is what is wrong with it. */
type Expiry = number | null | string;

function expiryProblem(store: Store, namespace: NamespaceStore | undefined, expiry: Expiry): string | undefined {
  if (typeof expiry === 'string') return expiry;
  return namespace && store.expiryProblem(namespace, expiry)?.text;
}
const valueProblem = (store: Store, value: Buffer | undefined): string | undefined =>
  value && store.valueProblem(value)?.text;

function setExpiry(args: readonly Buffer[], store: Store): Expiry {
  let expiresAtMs: number | null = null;
  for (let i = 3; i < args.length; i++) {
    const option = word(args, i);
    const refusal = refusedSetOptions[option];
    if (refusal !== undefined) return refusalText(`SET … ${option}`, refusal);
    const expiry = expiryOptions[option];
    if (!expiry || expiresAtMs !== null || i + 1 >= args.length) return 'ERR syntax error';
    const n = integerArg(args, ++i);
    if (n === undefined) return 'ERR value is not an integer or out of range';
    expiresAtMs = expiry(n, store.expiryNowMs());
    if (n <= 0 || !isTime(expiresAtMs)) return "ERR invalid expire time in 'set' command";
  }
  return expiresAtMs;
}

/** SETEX and PSETEX: key, time to live, value. */
function setWithin(unitMs: number): { problem: ArgumentsProblem; run: (call: DataCall) => void } {
  const expiryOf = (args: readonly Buffer[], store: Store): Expiry => {
    const n = integerArg(args, 2);
    if (n === undefined) return 'ERR value is not an integer or out of range';
    const expiresAtMs = store.expiryNowMs() + n * unitMs;
    if (n > 0 && isTime(expiresAtMs)) return expiresAtMs;
    return `ERR invalid expire time in '${word(args, 0).toLowerCase()}' command`;
  };
  return {
    problem: (args, { store }, namespace) =>
      expiryProblem(store, namespace, expiryOf(args, store)) ?? valueProblem(store, args[3]),
    run: (call) => put(call, expiryOf(call.args, call.context.store), call.args[3]),
  };
}

function put(
  { args, reply, context, namespace, order, ack, session }: DataCall,
  expiry: Expiry,
  value: Buffer | undefined,
): void {
  if (typeof expiry === 'string') return reply.error(expiry);
  const sent = args[1] as Buffer;
  // A view of the command would keep all of it in memory, beside its record, as long as that waits for the log.
  const key = (value as Buffer).length > copyKeyAbove ? Buffer.from(sent) : sent;
  const record = context.store.encode(namespace, key, { value: value as Buffer, expiresAtMs: expiry });
  if (record instanceof StoreFailure) return reply.error(ofKey(record, key));
  order.write(new SetAppend(key, record, ack, session, reply));
}

/** Bytes of a value from which on a copy of its key costs nothing in comparison. */
const copyKeyAbove = 16 * 1024;

export const isTime = (ms: number): boolean => ms > 0 && ms < Number.MAX_SAFE_INTEGER - 1;

const expiryOptions: Readonly<Record<string, (n: number, nowMs: number) => number>> = {
  EX: (n, nowMs) => nowMs + n * 1000,
  PX: (n, nowMs) => nowMs + n,
  EXAT: (n) => n * 1000,
  PXAT: (n) => n,
};

function mget(call: ManyCall): void {
  const { reply, args, order, consistency, session } = call;
  const values = new ArrayReply(reply.protocol, args.length - 1);
  let failure: string | undefined;
  let bytes = 0;
  const take = (i: number, value: Buffer | string | undefined): void => {
    bytes += value?.length ?? 0;
    if (bytes > multiReplyBytesMax)
      failure ??= `LVLIMIT a reply of more than ${multiReplyBytesMax} bytes: ask for fewer keys`;
    if (failure !== undefined) return;
    values.set(i, value);
    if (value) reply.gathered(value.length);
  };
  inWaves(
    { reply, count: args.length - 1, isOver: () => (failure ??= unawaited(reply)) !== undefined },
    (i, finished) => {
      const key = args.at(i + 1) as Buffer;
      const read = new CallbackRead(key, consistency, session, (result) => {
        if (isUnreadable(result)) take(i, ofKey(result, key));
        else if (result instanceof StoreFailure) failure ??= ofKey(result, key);
        else take(i, result?.value);
        finished();
      });
      order.read(read);
    },
    () => {
      if (failure !== undefined) reply.error(failure);
      else reply.rawParts(values.finish());
    },
  );
}

/** Why no more is read for a reply. What was not read must not look as if it were absent: the client may only have ended. */
function unawaited(reply: ReplySlot): string | undefined {
  if (!reply.abandoned) return undefined;
  return 'LVLIMIT the client ended its side long before this reply was whole: keep the connection open until it is there';
}

/** Of one MGET. */
const multiReplyBytesMax = 64 * 1024 * 1024;

function exists({ args, reply, order, consistency, session }: ManyCall): void {
  let failure: string | undefined;
  let found = 0;
  inWaves(
    { reply, count: args.length - 1, isOver: () => (failure ??= unawaited(reply)) !== undefined },
    (i, finished) => {
      const key = args.at(i + 1) as Buffer;
      const read = new CallbackRead(key, consistency, session, (result) => {
        if (result instanceof StoreFailure && !isUnreadable(result)) failure ??= ofKey(result, key);
        else if (result !== undefined) found++;
        finished();
      });
      order.read(read);
    },
    () => (failure === undefined ? reply.integer(found) : reply.error(failure)),
  );
}

function msetProblem(args: ManyArguments, { store }: DoorContext): string | undefined {
  if (args.length % 2 === 0) return "ERR wrong number of arguments for 'mset' command";
  for (let i = 1; i < args.length; i += 2) {
    const key = args.at(i) as Buffer;
    const problem = store.valueProblem(args.at(i + 1) as Buffer) ?? store.keyProblem(key);
    if (problem) return ofKey(problem, key);
  }
  return undefined;
}

function mset(call: ManyCall): void {
  const { args, reply, context, namespace, order, ack, session } = call;
  // Nothing is written when anything is wrong.
  const problem = msetProblem(args, context);
  if (problem !== undefined) return reply.error(problem);
  const count = (args.length - 1) / 2;
  const keyOf = (i: number): Buffer => args.at(1 + i * 2) as Buffer;
  const valueOf = (i: number): Buffer => args.at(2 + i * 2) as Buffer;
  const failures: KeyFailure[] = [];
  inWaves(
    { reply, count, bytesOf: (i) => valueOf(i).length },
    (i, finished) => {
      const record = context.store.encode(namespace, keyOf(i), { value: valueOf(i), expiresAtMs: null }) as
        Buffer | HeadedValue;
      const append = new CallbackAppend(keyOf(i), record, ack, session, (failure) => {
        if (failure) failures.push({ key: keyOf(i), failure });
        finished();
      });
      order.write(append);
    },
    () => (failures.length === 0 ? reply.ok() : reply.error(summarize('set', count, failures))),
  );
}

/** The tombstone is appended whatever the read before it says; that read only counts, by what there was at the beginning. */
function del({ args, reply, order, ack, session }: ManyCall): void {
  const count = args.length - 1;
  const failures: KeyFailure[] = [];
  let existed = 0;
  let uncounted: string | undefined;
  const seen = new Set<string>();
  const countBy = order.readsAsOfNow(session);
  inWaves(
    { reply, count },
    (i, finished) => {
      const key = args.at(i + 1) as Buffer;
      const name = key.toString('latin1', 0, seenBytesMax);
      const append = new CallbackAppend(key, null, ack, session, (failure) => {
        if (failure) failures.push({ key, failure });
        finished();
      });
      if (seen.has(name)) return order.write(append);
      seen.add(name);
      const read = new CallbackRead(key, 'session', session, (result) => {
        if (result instanceof StoreFailure && !isUnreadable(result)) uncounted = ofKey(result, key);
        else if (result !== undefined) existed++;
      });
      countBy(read);
      order.write(append, read);
    },
    () => {
      if (failures.length > 0) reply.error(summarize('deleted', count, failures));
      else if (uncounted !== undefined)
        reply.error(`LVUNCOUNTED deleted, but how many existed is unknown: ${uncounted}`);
      else reply.integer(existed);
    },
  );
}

/** No key that exists is longer. */
const seenBytesMax = 2_048;
