import { randomUUID } from 'node:crypto';
import { MemoryLevel } from 'memory-level';
import type { LivenessLimits } from '@levee/cluster';
import { featureLevel, type CommandOutcome } from '@levee/events';
import { ClusterView, controlTopics, submit, type ControlTopics, type OutsideWitness } from '@levee/journal';
import { asPartition, type Logger, silentLogger, type Timers } from '@levee/kernel';
import { systemClock, systemRandom, systemTimers, type Log } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import { commandsIn, Master, type CandidacyLimits, type Decide } from '../src';

export const topics = controlTopics('levee');

const quickLimits: CandidacyLimits = { heartbeatMs: 30, silenceMs: 150, reclaimMs: 3_600_000 };

export const world = { clock: systemClock, timers: systemTimers, random: systemRandom, logger: silentLogger };

export function openLog(): Promise<EmbeddedLog> {
  return EmbeddedLog.open({
    db: new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' }),
    cleanEveryMs: 0,
  });
}

export interface TestMaster {
  readonly master: Master;
  close(): Promise<void>;
}

/** A master with its own reader of `levee.commands`, as the Nest transport gives it one. */
export async function startMaster(
  log: Log,
  options: {
    instance: string;
    topics?: ControlTopics;
    limits?: CandidacyLimits;
    claimAtOnce?: boolean;
    decide?: Decide;
    logger?: Logger;
    liveness?: LivenessLimits;
    barrierMs?: number;
    planStallMs?: number;
    timers?: Timers;
    /** What disks have kept of the journal. */
    known?: readonly OutsideWitness[];
  },
): Promise<TestMaster> {
  const master = new Master(log, {
    ...world,
    topics,
    address: () => '127.0.0.1:0',
    limits: quickLimits,
    claimAtOnce: false,
    ...options,
  });
  master.view.know(options.known ?? []);
  await master.start();
  const stop = new AbortController();
  const reading = readCommands(log, master, { topics: options.topics ?? topics, signal: stop.signal });
  return {
    master,
    close: async () => {
      stop.abort();
      await master.close();
      await reading;
    },
  };
}

async function readCommands(
  log: Log,
  master: Master,
  options: { topics: ControlTopics; signal: AbortSignal },
): Promise<void> {
  const { commands } = options.topics;
  const from = { nextOffset: (await log.offsets(commands))[0]!.startOffset, leaderEpoch: -1 };
  for await (const batch of log.tail(commands, asPartition(0), from, { signal: options.signal, idleMs: 50 })) {
    const pending = commandsIn(batch.records, silentLogger);
    if (pending.length > 0) await master.decide(pending);
  }
}

export async function openView(log: Log, of: ControlTopics = topics): Promise<ClusterView> {
  const view = new ClusterView(log, of, world);
  await view.start();
  return view;
}

export async function run(
  log: Log,
  view: ClusterView,
  command: { kind: string; payload: unknown; principal?: string; id?: string },
  of: ControlTopics = topics,
): Promise<CommandOutcome> {
  const id = await submit(log, of, { principal: 'test', ...command });
  return view.outcome(id, 10_000);
}

export const nodeRegistration = (nodeId: string, units = 8) => ({
  kind: 'RegisterNode',
  principal: `node ${nodeId}`,
  payload: {
    nodeId,
    storeId: `store-${nodeId}`,
    incarnation: randomUUID(),
    domain: nodeId,
    respAddress: '127.0.0.1:7400',
    httpAddress: '127.0.0.1:7500',
    featureLevel,
    units: Array.from({ length: units }, (_, i) => ({
      unitId: `${nodeId}/u${String(i).padStart(2, '0')}`,
      capacityBytes: 256 * 1024 * 1024,
      engine: 'memory',
      generation: 0,
    })),
  },
});
