import { type ClusterEvent, type ClusterState, decide } from '@levee/cluster';
import type { Command, PlanState } from '@levee/events';
import { isReservedKey } from '@levee/kernel';
import type { LogBatch, StoredRecord } from '@levee/log';
import { OperationFailed } from './history/key-client';
import { crashRun, type RunReport } from './simulation/crash-run';
import { diskDamage, staleLeaders } from './simulation/failure-scenarios';
import { promote, split } from './simulation/plan-scenarios';
import type { PlantedBug } from './simulation/planted-bug';
import { rollbackLost } from './simulation/return-scenarios';
import type { Scenario } from './simulation/scenario';
import { topics } from './simulation/simulated-cluster';
import { drawnSome } from './support/drawn';
import { seed } from './support/seed';

jest.setTimeout(120_000);

/** Keys that are written once, before anything else happens; those that end with 0 are deleted then. */
const isFence = (key: Buffer | null): boolean => key !== null && isReservedKey(key) && key.includes('fence/');
const isOf = (key: Buffer | null, text: string): boolean => key?.toString() === text;
/** Keys that the judged clients write. */
const isWorkload = (key: Buffer | null): boolean => /^[st]\d+$/.test(key?.toString() ?? '');

/** Changes what nodes apply, record by record; `undefined` = never seen. */
const toNodes = (
  to: (node: string) => boolean,
  change: (record: StoredRecord) => StoredRecord | undefined,
): PlantedBug => ({
  handed: (process, batch): LogBatch =>
    !to(process) || !batch.topic.startsWith('levee.binlog.')
      ? batch
      : { ...batch, records: batch.records.flatMap((record) => change(record) ?? []) },
});

/** Of four, so that each chunk has a replica there. */
const threeNodes = (name: string): boolean => name === 'n1' || name === 'n2' || name === 'n3';

/** Flips one bit of the last byte, which is the value's. */
const altered = ({ value, ...record }: StoredRecord): StoredRecord => {
  const bytes = value === null ? null : Buffer.from(value);
  if (bytes !== null) bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1;
  return { ...record, value: bytes };
};

/** Rules that forget some of what they decide. */
const forgetting = (forgotten: (event: ClusterEvent) => boolean): PlantedBug => ({
  decide: (...of) => {
    const verdict = decide(...of);
    return { ...verdict, events: verdict.events.filter((event) => !forgotten(event)) };
  },
});

/** Answers each read with what the first one of that key found there. */
function readsOnce(): PlantedBug {
  const first = new Map<string, string | null>();
  return {
    answered: (portal, key, found) => {
      if (portal !== 'p2') return found;
      if (!first.has(key)) first.set(key, found);
      return first.get(key) as string | null;
    },
  };
}

function refusesOnce(): PlantedBug {
  let refused = false;
  return {
    answered: (_portal, _key, found) => {
      if (refused) return found;
      refused = true;
      throw new OperationFailed('definite', 'LVUNAVAILABLE');
    },
  };
}

/** A strong read that asks the log where it ends, instead of appending a fence and waiting for that. */
const asksForTheEnd: PlantedBug = {
  appended: (by, topic, records) =>
    by.startsWith('p') && topic.startsWith('levee.binlog.') && records.every(({ key }) => isFence(key)) ? [] : records,
};

/** Rules that throw for a command in some state, as an assert does that is wrong. */
const throwing = (when: (state: ClusterState, command: Command) => boolean): PlantedBug => ({
  decide: (state, command, context) => {
    if (when(state, command)) throw new Error('an assert that is wrong');
    return decide(state, command, context);
  },
});

const planNamed = (state: ClusterState, { payload }: Command): PlanState | undefined =>
  state.plan((JSON.parse(payload) as { planId?: string }).planId ?? '');

interface Case {
  readonly bug: string;
  readonly scenario: Scenario;
  readonly plant: () => PlantedBug;
  /** Virtual time until a scenario that cannot end is given up. */
  readonly overMs?: number;
  /** What must be said of it. */
  readonly named: RegExp;
}

const cases: readonly Case[] = [
  {
    bug: 'a record that some nodes never see',
    scenario: promote,
    plant: () => toNodes(threeNodes, (record) => (isOf(record.key, 'old5') ? undefined : record)),
    named: /^I1: .*the log says/,
  },
  {
    bug: 'a deletion that no node ever sees',
    scenario: promote,
    plant: () =>
      toNodes(
        () => true,
        (record) => (isOf(record.key, 'old10') && record.value === null ? undefined : record),
      ),
    named: /^I1: .*the log says/,
  },
  {
    bug: 'a value that is another one in some nodes',
    scenario: promote,
    plant: () => toNodes(threeNodes, (record) => (isOf(record.key, 'old5') ? altered(record) : record)),
    named: /^I1: .*the log says/,
  },
  {
    bug: 'a record that some nodes never see, and a plan that copies one of them',
    scenario: split,
    plant: () => toNodes(threeNodes, (record) => (isOf(record.key, 'old5') ? undefined : record)),
    overMs: 3_000,
    named: /split failed verify .* DIGEST_MISMATCH|^I1: .*the log says/,
  },
  {
    bug: 'an entry of a compacted topic that is lost',
    scenario: promote,
    plant: () => ({
      appended: (_by, topic, records) =>
        topic === topics.routes ? records.filter(({ key }) => !key?.toString().startsWith('route/')) : records,
    }),
    named: /^I8: nobody could boot from the compacted topics/,
  },
  {
    bug: 'writes that are acknowledged and not in the log',
    scenario: split,
    plant: () => ({
      appended: (by, topic, records) =>
        by === 'p1' && topic.startsWith('levee.binlog.') && records.every(({ key }) => isWorkload(key)) ? [] : records,
    }),
    named: /not linearizable/,
  },
  { bug: 'a portal that reads a key only once', scenario: split, plant: readsOnce, named: /not linearizable/ },
  { bug: 'the same, as its sessions see it', scenario: split, plant: readsOnce, named: /session2/ },
  {
    bug: 'a portal that refuses a read for no reason',
    scenario: promote,
    plant: refusesOnce,
    named: /^without excuse/,
  },
  {
    bug: 'a unit that stays taken when its replica is gone',
    scenario: split,
    plant: () => forgetting((event) => event.kind === 'unit' && event.entity.state === 'reclaiming'),
    named: /^I10: unit .* is allocated/,
  },
  {
    bug: 'a database that is left on a disk',
    scenario: split,
    plant: () => ({ keeps: () => true }),
    named: /^I10: the disk of n\d still has/,
  },
  {
    bug: 'a strong read that believes the end that a broker tells',
    scenario: staleLeaders,
    plant: () => asksForTheEnd,
    named: /not linearizable/,
  },
  {
    bug: 'a disk that is believed unseen',
    scenario: diskDamage,
    plant: () => ({ unchecked: (process) => process === 'n1' }),
    named: /^I1: .*the log says/,
  },
  {
    bug: 'a plan that cannot end because a replica that it made is lost',
    scenario: rollbackLost,
    plant: () =>
      throwing(
        (state, command) =>
          command.kind === 'ReclaimPlan' &&
          (planNamed(state, command)?.targets ?? []).some(({ chunkId }) =>
            state.chunk(chunkId)?.replicas.some(({ role }) => role === 'dead'),
          ),
      ),
    overMs: 12_000,
    named: /rollback-lost being over .* reclaiming observe/,
  },
  {
    bug: 'slots without a route',
    scenario: split,
    plant: () => forgetting((event) => event.kind === 'route' && event.entity.slotStart === 250_000),
    named: /after decision \d+: I9/,
  },
];

/** So much load that what a bug does to clients is met many times, whatever the dice let them do. */
const lullMs = 2_000;

describe('the judge names every bug that is planted', () => {
  const clean = new Map<string, Promise<RunReport>>();

  const some = drawnSome('planted bugs', cases, 8, ({ bug }) => bug);
  it.each(some.map((one) => [one.bug, one] as const))('%s', async (_bug, { scenario, plant, overMs, named }) => {
    if (!clean.has(scenario.name)) clean.set(scenario.name, crashRun(scenario, { seed, lullMs }));
    expect((await clean.get(scenario.name))?.faults).toEqual([]);
    const planted = { seed, lullMs, bug: plant(), ...(overMs === undefined ? {} : { overMs }) };
    const { faults } = await crashRun(scenario, planted);
    expect(faults).toContainEqual(expect.stringMatching(named));
  });
});
