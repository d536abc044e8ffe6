import { type ClusterState, plansWithoutRoom } from '@levee/cluster';
import { decodeAs } from '@levee/codec';
import type { NamespaceState } from '@levee/events';
import { brokersIn, type ControlTopics, examineTopics } from '@levee/journal';
import { asPartition, type Clock, Failure, messageOf, type Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { ChunkProofState } from '../continuous/proof-summary';
import { examineSecurity, type SecurityWorld } from './examine-security';
import type { DoctorFacts, HeardProcess, NamespaceFacts, NodeFacts, NodeStat } from './facts';
import type { DoctorReport, Unknown } from './finding';
import { doctorLimits } from './limits';
import { quarantineCounts } from './quarantine-counts';
import { findingsOf } from './rules';
import { readNodeAnswer } from '../node-stat';
import { writtenFrom } from '../written-from';

export interface DoctorWorld {
  readonly log: Log;
  readonly topics: ControlTopics;
  /** The last decision that the state has taken in. */
  readonly seq: () => number;
  readonly clock: Clock;
  readonly timers: Timers;
  /** A JSON document of the HTTP door at `host:port`; fails when it does not come within `askMs`. */
  readonly ask: (address: string, path: string) => Promise<unknown>;
  /** Of these doors, for commands that people are shown; default http. */
  readonly scheme?: 'http' | 'https';
  /** Why the process that looks is not ready itself. */
  readonly portalProblem?: string | undefined;
  /** Why the log takes no writes of the process that looks. */
  readonly writeProblem?: string | undefined;
  /** See `ClusterView.short`. */
  readonly journalShort?: string | undefined;
  /** See `ClusterView.unheardMs`. */
  readonly journalUnheardMs?: number | undefined;
  readonly maintenanceUntilMs?: ((nodeId: string) => number | undefined) | undefined;
  /** What comparisons of replicas with the log have found, if the process that looks follows them. */
  readonly proofs?: readonly ChunkProofState[] | undefined;
  readonly security?: SecurityWorld | undefined;
}

/** Looks at everything the rules want to know, side by side and each within a deadline, and applies them. */
export async function examineCluster(state: ClusterState, world: DoctorWorld): Promise<DoctorReport> {
  const { log, topics, clock, timers } = world;
  const beganAtMs = clock.monotonicMs();
  const deletions = new Map([...state.namespaces()].filter(isDeleted).map(({ name, seq }) => [name, seq]));
  const unknown: Unknown[] = [];
  const attempt = async <T>(what: string, command: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await within(timers, doctorLimits.askMs, work());
    } catch (error) {
      unknown.push({ what, why: messageOf(error), command });
      return undefined;
    }
  };
  // All other questions to the log would wait for it too.
  const logProblem = await within(timers, doctorLimits.askMs, log.offsets(topics.journal)).then(
    () => undefined,
    (error: unknown) => messageOf(error),
  );
  const hasLog = logProblem === undefined;
  const ofLog = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    if (hasLog) return attempt(what, 'levee doctor   # again', work);
    unknown.push({ what, why: 'the log does not answer', command: 'bring the log back, then: levee doctor' });
    return undefined;
  };
  const names = [...state.namespaces()].filter((of) => of.state === 'active').map(({ binlog }) => binlog);
  const { prefix: _prefix, ...control } = topics;
  const [report, condition, heard, quarantined, nodes] = await Promise.all([
    ofLog('topics', () => examineTopics(log, state, world)),
    ofLog('brokers, partitions and transactions', () => log.examine([...Object.values(control), ...names])),
    ofLog('heartbeats', () => listen(world)),
    ofLog('quarantine', () => quarantineCounts(log, topics.quarantine, { clock, namespaces: state.namespaces() })),
    nodesOf(state, world),
  ]);
  const master = heard?.find(({ kind }) => kind === 'master');
  const masterProblems =
    master &&
    (await attempt(`master ${master.id}`, `curl ${world.scheme ?? 'http'}://${master.address}/v1/status`, () =>
      problemsOf(world, master),
    ));
  // With this turn of the event loop, in which namespaces and chunks are looked up too: the state goes on.
  const seq = world.seq();
  const namespaces = await Promise.all(
    [...state.namespaces()].map(async (of) => {
      const { name, binlog, leftPositions: positions } = of;
      const left = of.state === 'active' && of.frozenBy !== null && positions.length > 0;
      const stillDeleted = isDeleted(of) && deletions.get(of.name) === of.seq;
      const deletingForMs = stillDeleted ? clock.monotonicMs() - beganAtMs : undefined;
      const later = left
        ? ofLog(`records written to ${binlog} since ${of.swappedWith} took its place`, () =>
            writtenFrom(log, { binlog, positions }, { recordsMax: doctorLimits.writtenLaterMax }),
          )
        : undefined;
      const facts = await namespaceOf(state, name, hasLog ? log : undefined);
      const writtenLater = await later;
      return facts && { ...facts, deletingForMs, ...(writtenLater && { writtenLater }) };
    }),
  );
  const facts: DoctorFacts = {
    log,
    brokers: brokersIn(log),
    portalProblem: world.portalProblem,
    journalShort: world.journalShort,
    journalUnheardMs: world.journalUnheardMs,
    logProblem,
    writeProblem: world.writeProblem,
    ...(report && { topics: report }),
    ...(condition && { condition }),
    ...(heard && { heard }),
    ...(masterProblems && { masterProblems }),
    ...(quarantined && { quarantined: quarantined.found }),
    nodes,
    plansWithoutRoom: plansWithoutRoom(state, clock.nowMs()),
    namespaces: namespaces.filter((each) => each !== undefined),
    seq,
    ...(world.proofs && { proofs: world.proofs }),
    nowMs: clock.nowMs(),
  };
  const security = world.security && (await examineSecurity(state, heard ?? [], world.security));
  const found = [...findingsOf(facts), ...(security?.findings ?? [])];
  const replicas = nodes.reduce((sum, { says }) => sum + (says?.replicas.length ?? 0), 0);
  return {
    findings: found.map((finding) => ({ ...finding, command: overDoors(finding.command, world.scheme) })),
    unknown,
    ...(security && { weak: security.weak }),
    ...(quarantined && quarantined.acknowledged.length > 0 && { acknowledged: quarantined.acknowledged }),
    looked: { topics: report?.examined ?? 0, nodes: nodes.length, replicas },
  };
}

const isDeleted = ({ state }: NamespaceState): boolean => state === 'deleting';

/** Rules know addresses, not what is spoken there. */
function overDoors(command: string, scheme: DoctorWorld['scheme'] = 'http'): string {
  return command.replaceAll('curl http://', `curl ${scheme}://`);
}

/** The processes whose heartbeats come while we listen; the active master is the only one of its kind that sends any. */
async function listen({ log, topics, timers }: DoctorWorld): Promise<HeardProcess[]> {
  const nextOffset = (await log.offsets(topics.heartbeats))[0]?.endOffset;
  if (nextOffset === undefined) throw new Failure('TOPIC_MISSING', `${topics.heartbeats} has no partition 0`);
  const heard = new Map<string, HeardProcess>();
  const stop = new AbortController();
  const cancel = timers.after(doctorLimits.listenMs, () => stop.abort());
  try {
    const tail = log.tail(topics.heartbeats, asPartition(0), { nextOffset, leaderEpoch: -1 }, { signal: stop.signal });
    for await (const { records } of tail)
      for (const { value } of records) {
        const beat = value === null ? undefined : heartbeatIn(value);
        if (beat !== undefined) heard.set(`${beat.kind}/${beat.id}/${beat.incarnation}`, beat);
      }
  } finally {
    cancel();
    stop.abort();
  }
  return [...heard.values()];
}

function heartbeatIn(value: Buffer): HeardProcess | undefined {
  try {
    const { kind, id, incarnation, address } = decodeAs('Heartbeat', value);
    return { kind, id, incarnation, address };
  } catch {
    return undefined;
  }
}

async function problemsOf({ ask }: DoctorWorld, { address }: HeardProcess): Promise<string[]> {
  const { problems } = (await ask(address, '/v1/status')) as { problems?: unknown };
  return Array.isArray(problems) ? problems.map(String) : [];
}

async function nodesOf(state: ClusterState, world: DoctorWorld): Promise<NodeFacts[]> {
  const all = [...state.nodes()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  const found: NodeFacts[] = [];
  for (let at = 0; at < all.length; at += doctorLimits.nodesAtOnce)
    found.push(
      ...(await Promise.all(
        all.slice(at, at + doctorLimits.nodesAtOnce).map(async (node): Promise<NodeFacts> => {
          const says = await world.ask(node.httpAddress, '/v1/node').then(
            (answer) => statOf(answer, node.storeId),
            () => undefined,
          );
          return { state: node, maintenanceUntilMs: world.maintenanceUntilMs?.(node.nodeId), says };
        }),
      )),
    );
  return found;
}

/** `undefined` when it is not what a node of this disk answers: something else may listen at its old address. */
function statOf(answer: unknown, storeId: string): NodeStat | undefined {
  const stat = readNodeAnswer(answer);
  if (stat?.storeId !== storeId) return undefined;
  const { problem = null, disk = null } = stat;
  return { ...stat, problem, disk };
}

async function namespaceOf(
  state: ClusterState,
  name: string,
  log: Log | undefined,
): Promise<NamespaceFacts | undefined> {
  const of = state.namespace(name);
  if (of === undefined) return undefined;
  const chunks = [...state.chunksOf(name)].map(({ chunkId, replicas, seq }) => ({ chunkId, replicas, seq }));
  const offsets = of.state === 'active' ? await log?.offsets(of.binlog).catch(() => undefined) : undefined;
  const ends = offsets && new Map(offsets.map(({ partition, endOffset }) => [partition, endOffset]));
  return { state: of, chunks, ends };
}

async function within<T>(timers: Timers, ms: number, work: Promise<T>): Promise<T> {
  let cancel: () => void = () => undefined;
  const late = new Promise<never>((_resolve, reject) => {
    cancel = timers.after(ms, () => reject(new Failure('DEADLINE', `no answer within ${ms} ms`)));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    cancel();
  }
}
