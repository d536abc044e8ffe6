import { Failure, messageOf } from '@levee/kernel';
import type { WitnessFacts, WitnessReport } from './node-protocol';
import type { RespReply } from './reply-parser';

const reportLimits = { bytesMax: 16 * 1024 * 1024, witnessesMax: 1_000_000, keysMax: 10_000 } as const;

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isFlag: Check = (value) => typeof value === 'boolean';
const isWhole: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const orAbsent =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

/** Of each field what it must be: it decides what a portal lets be written. */
const checks: { readonly [Name in keyof Required<WitnessFacts>]: Check } = {
  namespace: isText,
  binlog: isText,
  chunkId: isText,
  slotStart: isWhole,
  slotEnd: isWhole,
  nodeId: isText,
  storeId: isText,
  unitId: isText,
  generation: isWhole,
  left: orAbsent(isFlag),
  readable: isFlag,
  partition: isWhole,
  cutOffset: isWhole,
  cutKnown: isFlag,
  nextOffset: isWhole,
  leaderEpoch: (value) => value === -1 || isWhole(value),
  keysAtStake: (value) => value === null || isWhole(value),
  keys: orAbsent((value) => Array.isArray(value) && value.length <= reportLimits.keysMax && value.every(isText)),
  why: isText,
};

/**
 * What a node answers to LV.WITNESS, its fields being what their types say. Fails with BAD_FRAME where it is anything else:
 * a node of a later version, or one that is no node, must not be believed by halves.
 */
export function readWitnessReport(reply: RespReply): WitnessReport {
  if (!Buffer.isBuffer(reply)) throw strange('it is no bytes');
  if (reply.length > reportLimits.bytesMax) throw strange(`it has ${reply.length} bytes`);
  const report = parsed(reply);
  const witnesses: unknown = report?.witnesses;
  if (typeof report?.nodeId !== 'string') throw strange('nodeId is no text');
  if (!Array.isArray(witnesses) || witnesses.length > reportLimits.witnessesMax)
    throw strange(`witnesses are no list of at most ${reportLimits.witnessesMax}`);
  for (const [i, each] of (witnesses as unknown[]).entries()) {
    const facts = Object(each) as Readonly<Record<string, unknown>>;
    const wrong = Object.entries(checks).find(([name, check]) => !check(facts[name]))?.[0];
    if (wrong !== undefined) throw strange(`${wrong} of witness ${i} is ${shown(facts[wrong])}`);
  }
  return report as unknown as WitnessReport;
}

function parsed(reply: Buffer): Readonly<Record<string, unknown>> | null {
  try {
    return JSON.parse(reply.toString('utf8')) as Readonly<Record<string, unknown>> | null;
  } catch (error) {
    throw strange(messageOf(error));
  }
}

const shown = (value: unknown): string => (JSON.stringify(value) ?? 'missing').slice(0, 40);

const strange = (why: string): Failure<'BAD_FRAME'> =>
  new Failure('BAD_FRAME', `an answer to LV.WITNESS is not understood: ${why.slice(0, 200)}`);
