import type { NodeStat } from './doctor/facts';
import type { KeptStat, WitnessReplica } from './witness-nodes';

/** What a node says of itself (LV.STAT), as far as it is looked at. */
export interface NodeAnswer extends NodeStat {
  readonly storeId: string;
  readonly replicas: readonly (NodeStat['replicas'][number] & WitnessReplica)[];
  readonly setAside?: readonly Omit<KeptStat, 'nodeId'>[] & NonNullable<NodeStat['setAside']>;
}

type Test = (value: unknown) => boolean;

const isText: Test = (value) => typeof value === 'string';
const isNumber: Test = (value) => typeof value === 'number';
const isFlag: Test = (value) => typeof value === 'boolean';
const orNull =
  (test: Test): Test =>
  (value) =>
    value === null || value === undefined || test(value);
const orAbsent =
  (test: Test): Test =>
  (value) =>
    value === undefined || test(value);
const isListOf =
  (test: Test): Test =>
  (value) =>
    Array.isArray(value) && value.every(test);
const has =
  (fields: Readonly<Record<string, Test>>): Test =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(fields).every(([name, test]) => test((value as Readonly<Record<string, unknown>>)[name]));

const isPlace = has({ partition: isNumber, nextOffset: isNumber });
const isCut = has({
  ...{ partition: isNumber, cutOffset: isNumber, nextOffset: isNumber },
  ...{ keysAtStake: orAbsent(isNumber), keys: orAbsent(isListOf(isText)) },
});
const isPosition = has({
  ...{ partition: isNumber, nextOffset: isNumber, ageMs: orNull(isNumber), problem: orNull(isText) },
  cut: orNull(isCut),
});
const isHole = has({
  ...{ binlog: isText, partition: isNumber, fromOffset: isNumber, toOffset: orNull(isNumber), why: isText },
  peers: isListOf(has({ nodeId: isText, unitId: isText, says: orNull(isText) })),
});
const isReplica = has({
  ...{ chunkId: isText, namespace: isText, unitId: isText, generation: isNumber, role: isText, state: isText },
  ...{ readable: isFlag, problem: orNull(isText), storedBytes: orAbsent(isNumber), checkedMs: orNull(isNumber) },
  ...{ hole: orNull(isHole), positions: isListOf(isPosition) },
});
const isSetAside = has({
  ...{ unitId: isText, folder: isText, reason: isText, bytes: isNumber },
  keptFor: orAbsent(has({ damaged: isFlag, positions: orNull(isListOf(isPlace)) })),
});
const isLeftUnit = has({
  ...{ unitId: isText, generation: isNumber, folder: isText, bytes: isNumber },
  ...{ holds: orNull(isText), witnessOf: orNull(isText) },
});
const isNodeAnswer = has({
  ...{ storeId: isText, problem: orNull(isText), waitsForMaster: orAbsent(isFlag) },
  ...{ seq: orAbsent(isNumber), unheardMs: orNull(isNumber) },
  disk: orNull(has({ freeBytes: isNumber, totalBytes: isNumber })),
  ...{ replicas: isListOf(isReplica), setAside: orAbsent(isListOf(isSetAside)) },
  leftUnits: orAbsent(isListOf(isLeftUnit)),
});

/** `undefined`: it is not what a node answers; anything else may listen at its address. */
export function readNodeAnswer(answer: unknown): NodeAnswer | undefined {
  return isNodeAnswer(answer) ? (answer as NodeAnswer) : undefined;
}
