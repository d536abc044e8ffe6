import { CallbackRead, type Found, StoreFailure } from '@levee/client';
import { dataCommand, integerArg, keyPlaces, shown, word, type DataCall, type DoorCommand } from './door-command';
import { ofKey } from './shown-key';

/** The second argument: of commands with subcommands. */
const secondKey = [2, 2, 1] as const;

/** GETRANGE SUBSTR OBJECT MEMORY: what a value is like, or a part of it. */
export const keyFactsCommands: readonly DoorCommand[] = [
  ...['GETRANGE', 'SUBSTR'].map((name) =>
    dataCommand({
      name,
      access: 'read',
      arity: 4,
      flags: ['readonly'],
      keys: keyPlaces.oneKey,
      summary: 'start end: a part of the value, both ends included; -1 is the last byte',
      run: getRange,
    }),
  ),
  dataCommand({
    name: 'OBJECT',
    access: 'read',
    arity: -2,
    flags: ['readonly'],
    keys: secondKey,
    summary: 'ENCODING | REFCOUNT key: raw and 1, as every value is kept alike; nothing counts how often one is read',
    problem: objectProblem,
    run: object,
  }),
  dataCommand({
    name: 'MEMORY',
    access: 'read',
    arity: -2,
    flags: ['readonly'],
    keys: secondKey,
    summary: 'USAGE key: bytes of key and value',
    problem: memoryProblem,
    run: memory,
  }),
];

/** Reads a key for `answer`, which is not told of failures. */
function look(call: DataCall, key: Buffer, answer: (found: Found | undefined) => void): void {
  const { order, consistency, session, reply } = call;
  const read = new CallbackRead(key, consistency, session, (result) => {
    if (result instanceof StoreFailure) reply.error(ofKey(result, key));
    else answer(result);
  });
  order.read(read);
}

function getRange(call: DataCall): void {
  const { args, reply } = call;
  const start = integerArg(args, 2);
  const end = integerArg(args, 3);
  if (start === undefined || end === undefined) return reply.error('ERR value is not an integer or out of range');
  look(call, args[1] as Buffer, (found) => reply.bulk(found ? part(found.value, start, end) : Buffer.alloc(0)));
}

/** As GETRANGE of Redis has it: negative numbers count from the end, and what lies outside is left out. */
export function part(value: Buffer, start: number, end: number): Buffer {
  const { length } = value;
  const from = Math.max(0, start < 0 ? length + start : start);
  const to = Math.max(0, end < 0 ? length + end : end);
  return start < 0 && end < 0 && start > end ? Buffer.alloc(0) : value.subarray(from, Math.max(from, to + 1));
}

function objectProblem(args: readonly Buffer[]): string | undefined {
  const what = word(args, 1);
  if (what === 'FREQ' || what === 'IDLETIME')
    return `ERR An ${what === 'FREQ' ? 'LFU' : 'LRU'} maxmemory policy is not selected: nothing is evicted here, and nothing counts reads of a key`;
  if (what !== 'ENCODING' && what !== 'REFCOUNT')
    return `LVUNSUPPORTED OBJECT ${shown(args, 1)}: there are ENCODING and REFCOUNT`;
  if (args.length !== 3) return `ERR wrong number of arguments for 'object|${what.toLowerCase()}' command`;
  return undefined;
}

function object(call: DataCall): void {
  const { args, reply } = call;
  const problem = objectProblem(args);
  if (problem !== undefined) return reply.error(problem);
  look(call, args[2] as Buffer, (found) => {
    if (!found) reply.null();
    else if (word(args, 1) === 'REFCOUNT') reply.integer(1);
    else reply.text('raw');
  });
}

function memoryProblem(args: readonly Buffer[]): string | undefined {
  if (word(args, 1) !== 'USAGE')
    return `LVUNSUPPORTED MEMORY ${shown(args, 1)}: there is USAGE; see INFO memory and /metrics`;
  if (args.length < 3) return "ERR wrong number of arguments for 'memory|usage' command";
  // SAMPLES is for values with parts.
  const samples = args.length === 5 && word(args, 3) === 'SAMPLES' && integerArg(args, 4) !== undefined;
  return args.length === 3 || samples ? undefined : 'ERR syntax error';
}

function memory(call: DataCall): void {
  const { args, reply } = call;
  const problem = memoryProblem(args);
  if (problem !== undefined) return reply.error(problem);
  const key = args[2] as Buffer;
  look(call, key, (found) => (found ? reply.integer(key.length + found.value.length) : reply.null()));
}
