import { isTakenAway } from '@levee/cluster';
import { repairCommand, repairNote } from '@levee/journal';
import type { DoctorFacts, HeardProcess, NodeFacts, ReplicaStat } from './facts';
import type { Finding } from './finding';
import { doctorLimits } from './limits';
import { cutsOf, likeIt, replicaRule, waitsAtHole } from './replica-rule';

type Found = Omit<Finding, 'rule'>;

const readableRoles = new Set(['primary', 'follower', 'retired']);
const inForce: ReadonlySet<string> = new Set(['primary', 'follower']);

/** The processes: master, nodes, replicas, disks. */
export const nodeRules = {
  'no-master': ({ heard, journalShort, writeProblem }: DoctorFacts): Found[] =>
    // Then there is none on purpose, or none can be heard, and starting another one helps nobody.
    heard === undefined || (journalShort ?? writeProblem) !== undefined || heard.some(({ kind }) => kind === 'master')
      ? []
      : [
          {
            subject: 'master',
            finding: `no master was heard for ${doctorLimits.listenMs} ms`,
            impact: 'reads and writes go on; nothing can be created, changed or failed over',
            command: 'start a master: node tools/start.cjs master   # its /health/ready says what it waits for',
          },
        ],

  'master-trouble': ({ masterProblems }: DoctorFacts): Found[] =>
    (masterProblems ?? []).map((problem) => ({
      subject: 'master',
      finding: `the master says: ${problem}`,
      impact: 'what it names is not done until that is mended',
      command: 'levee status',
    })),

  'portal-not-ready': ({ portalProblem, journalShort }: DoctorFacts): Found[] =>
    portalProblem === undefined || portalProblem === journalShort
      ? []
      : [
          {
            subject: 'portal',
            finding: `this portal is not ready: ${portalProblem}`,
            impact: 'requests through it fail or use old routes',
            command: 'levee status',
          },
        ],

  'two-processes': ({ heard }: DoctorFacts): Found[] => {
    const runs = new Map<string, Map<string, string>>();
    for (const { kind, id, incarnation, address } of heard ?? []) {
      if (kind !== 'node') continue;
      const known = runs.get(id) ?? new Map<string, string>();
      runs.set(id, known.set(incarnation, address));
    }
    return [...runs]
      .filter(([, of]) => of.size > 1)
      .map(([id, of]) => ({
        subject: id,
        finding: `two processes say they are node ${id}: ${[...of.values()].join(' and ')}`,
        impact: 'one of them is refused and serves nothing; which one may change when they restart',
        command: 'stop one of them, or give it another LEVEE_NODE_ID and an empty folder',
      }));
  },

  'node-suspect': (facts: DoctorFacts): Found[] =>
    facts.nodes
      .filter(({ state }) => state.state === 'suspect' && !isTakenAway(state, servingChunks(facts)))
      .map(({ state: { nodeId, respAddress } }) => ({
        subject: nodeId,
        finding: `node ${nodeId} at ${respAddress} is suspect: it was silent`,
        impact: 'its replicas are avoided; if it stays away they are given up',
        command: `start it again, or give it time: levee node maintenance ${nodeId} --for 20m`,
      })),

  'node-lost': (facts: DoctorFacts): Found[] =>
    facts.nodes
      .filter(({ state }) => state.state === 'lost' && !isTakenAway(state, servingChunks(facts)))
      .map(({ state: { nodeId, respAddress } }) => ({
        subject: nodeId,
        finding: `node ${nodeId} (last at ${respAddress}) is lost: given up after a long silence`,
        impact: 'its replicas are dead; the others carry its chunks',
        command: 'start it again, with its disk or without: it comes back by itself',
      })),

  'node-unreachable': ({ nodes, journalShort, heard }: DoctorFacts): Found[] =>
    nodes
      .filter(({ state, says }) => state.state === 'up' && says === undefined)
      // It lives, and its new address cannot be decided: portals find it by what it says.
      .filter(({ state }) => journalShort === undefined || heard?.some((of) => isNode(of, state.nodeId)) !== true)
      .map(({ state: { nodeId, httpAddress } }) => ({
        subject: nodeId,
        finding: `node ${nodeId} counts as up and does not answer at ${httpAddress}`,
        impact: 'nothing is known of its replicas; portals may not reach it either',
        command: `curl http://${httpAddress}/health/ready`,
      })),

  'node-not-ready': ({ nodes, journalShort, log }: DoctorFacts): Found[] =>
    nodes.flatMap(({ state, says }) => {
      // What its replicas lack is said by their own rules.
      if (says === undefined || says.problem === null || says.replicas.some((of) => of.problem === says.problem))
        return [];
      // Of several replicas it says all at once what logs lost.
      if (says.problem.startsWith('I14: ') && says.replicas.some((of) => cutsOf(of).length > 0)) return [];
      // What the journal lacks is a finding of its own.
      if (journalShort !== undefined && (says.waitsForMaster === true || isShort(says.problem))) return [];
      const isLost = says.problem.startsWith('GENERATION_FROM_FUTURE');
      return [
        {
          subject: state.nodeId,
          finding: `node ${state.nodeId} is not ready: ${says.problem}`,
          impact: 'it serves nothing, or not all that it should',
          command: isLost
            ? `${repairCommand(log)}   # ${repairNote(log)}; it says whether the journal lost something`
            : `curl http://${state.httpAddress}/health/ready`,
        },
      ];
    }),

  // While the log does not answer nobody hears anything, which that finding says.
  'journal-unheard': ({
    nodes,
    logProblem,
    writeProblem,
    journalShort,
    journalUnheardMs = 0,
  }: DoctorFacts): Found[] => {
    if ((logProblem ?? writeProblem ?? journalShort) !== undefined) return [];
    const late = (ms: number | null): boolean => (ms ?? Infinity) > doctorLimits.unheardMs;
    const found = (subject: string, who: string, ms: number | null, address: string | undefined): Found => ({
      subject,
      finding: `${who} ${ms === null ? 'has never stood at the end of the journal' : `last stood at the end of the journal ${Math.round(ms)} ms ago`}`,
      impact:
        'it goes on by what was decided before: replicas, routes and rights that were changed since are not known there',
      command:
        address === undefined
          ? 'levee doctor   # at another portal: is this one cut off from the broker that leads the journal?'
          : `curl http://${address}/health/ready   # is it cut off from the broker that leads the journal?`,
    });
    return [
      ...(late(journalUnheardMs) ? [found('portal', 'this portal', journalUnheardMs, undefined)] : []),
      ...nodes.flatMap(({ state: { nodeId, httpAddress }, says }) =>
        says?.unheardMs !== undefined && says.problem === null && late(says.unheardMs)
          ? [found(nodeId, `node ${nodeId}`, says.unheardMs, httpAddress)]
          : [],
      ),
    ];
  },

  'replica-missing': (facts: DoctorFacts): Found[] => facts.nodes.flatMap((node) => likeIt(node, missing(facts, node))),

  'disk-nearly-full': ({ nodes }: DoctorFacts): Found[] =>
    nodes.flatMap(({ state: { nodeId }, says }) => {
      const disk = says?.disk;
      if (disk === undefined || disk === null || disk.freeBytes >= disk.totalBytes * doctorLimits.diskFreeShare)
        return [];
      const percent = ((disk.freeBytes / disk.totalBytes) * 100).toFixed(1);
      return [
        {
          subject: nodeId,
          finding: `the disk of node ${nodeId} has ${disk.freeBytes} of ${disk.totalBytes} bytes free (${percent} %)`,
          impact: 'when it is full its replicas stop where they are and grow old',
          command: `free space in the folder of ${nodeId}, or move chunks away: levee node drain ${nodeId}`,
        },
      ];
    }),

  'files-unchecked': replicaRule(
    ({ checkedMs }) => (checkedMs ?? 0) > doctorLimits.checkedMsMax,
    (node, replica) => ({
      finding: `a file of ${replica.chunkId} on ${replica.unitId} was last looked at ${replica.checkedMs} ms ago`,
      impact: 'damage in it would not be known; strong reads from it too are as good as its files',
      command: `curl http://${node.state.httpAddress}/metrics   # levee_node_scrub_*: is the node too busy to look?`,
    }),
  ),

  'replica-stuck': replicaRule(
    (replica) => replica.state === 'stuck' && !waitsAtHole(replica),
    (node, replica) => ({
      finding: `${replica.chunkId} on ${replica.unitId} is stuck: ${replica.problem ?? 'no reason given'}`,
      ...(isMisplaced(replica)
        ? {
            impact: 'it is not readable, its files are left alone, and the others of its chunk serve',
            command:
              `stop ${node.state.nodeId}, move the folders below units/ back to where they belong (each finding of this ` +
              'kind says what its folder holds), and start it again; never clear or format: both replicas are whole',
          }
        : {
            impact: 'it is not readable and mends itself only once its log is as it was',
            command: `curl http://${node.state.httpAddress}/v1/node`,
          }),
    }),
  ),

  'replica-full': replicaRule(
    ({ problem }) => /full/i.test(problem ?? ''),
    ({ state: { nodeId } }, replica) => ({
      finding: `${replica.chunkId} on ${replica.unitId} is full: ${replica.problem ?? ''}`,
      impact: 'it stands still at its position and grows old; what it holds can be read by who accepts that',
      command: /disk is full/i.test(replica.problem ?? '')
        ? `free space on the disk of ${nodeId}: it goes on by itself`
        : `levee plan propose split --chunk ${replica.chunkId}`,
    }),
  ),

  'replica-rebuilding': replicaRule(
    ({ state, ...replica }) =>
      state !== 'stuck' &&
      state !== 'witness' &&
      !waitsAtHole(replica) &&
      !replica.readable &&
      readableRoles.has(replica.role),
    (node, replica) => ({
      finding: `${replica.chunkId} on ${replica.unitId} is not readable: ${replica.problem ?? replica.state}`,
      impact: 'the other replicas of the chunk answer; if there are none, nobody does',
      command: `wait until it has caught up: curl http://${node.state.httpAddress}/v1/node`,
    }),
  ),

  // While the log does not answer all are behind, which that finding says.
  'replica-behind': (facts: DoctorFacts): Found[] =>
    facts.logProblem !== undefined
      ? []
      : facts.nodes.flatMap((node) =>
          likeIt(
            node,
            (node.says?.replicas ?? []).flatMap((replica) => behind(facts, node, replica)),
          ),
        ),
};

/** What decisions gave to a node that has read them, and does not host it. */
function missing({ namespaces, seq: known }: DoctorFacts, { state, says }: NodeFacts): Found[] {
  // Why it serves nothing is a finding of its own.
  if (says?.seq === undefined || says.problem !== null) return [];
  // A later decision may have taken from it what those that are known here gave it.
  if (says.seq > known) return [];
  const { replicas: hosted, seq: read } = says;
  return namespaces
    .filter((of) => of.state.state === 'active')
    .flatMap(({ chunks }) => chunks)
    .filter(({ seq }) => seq <= read)
    .flatMap(({ chunkId, replicas }) =>
      replicas
        .filter((of) => of.nodeId === state.nodeId && of.storeId === state.storeId && inForce.has(of.role))
        .filter(({ unitId, generation }) => !hosted.some((of) => of.unitId === unitId && of.generation === generation))
        .map(({ unitId, generation }) => ({
          subject: `${chunkId}@${state.nodeId}`,
          finding: `${chunkId} should be in ${unitId} of ${state.nodeId}, generation ${generation}, and the node does not host it`,
          impact:
            'it is no copy of anything, and reads that are sent there fail; the other replicas of the chunk answer',
          command: `restart node ${state.nodeId}   # then: curl http://${state.httpAddress}/v1/node`,
        })),
    );
}

/** The files in its unit are those of another replica: somebody exchanged or copied folders. */
function isMisplaced({ problem }: ReplicaStat): boolean {
  return /I10: the folder of .* does not hold/.test(problem ?? '');
}

const isNode = ({ kind, id }: HeardProcess, nodeId: string): boolean => kind === 'node' && id === nodeId;

const isShort = (problem: string): boolean => problem.startsWith('JOURNAL_SHORT');

/** Nothing would ever end a finding about a node that was taken away from them. */
function servingChunks({ namespaces }: DoctorFacts): DoctorFacts['namespaces'][number]['chunks'] {
  return namespaces.flatMap(({ chunks }) => chunks);
}

function behind({ namespaces }: DoctorFacts, node: NodeFacts, replica: ReplicaStat): Found[] {
  // One that is not readable has a finding of its own; a learner is behind by nature.
  if (!replica.readable || cutsOf(replica).length > 0) return [];
  const ends = namespaces.find(({ state }) => state.name === replica.namespace)?.ends;
  const late = replica.positions.filter(({ partition, nextOffset, ageMs }) => {
    const lag = (ends?.get(partition) ?? nextOffset) - nextOffset;
    return ageMs === null || ageMs > doctorLimits.behindAgeMs || lag > doctorLimits.behindRecords;
  });
  const worst = late.sort((a, b) => (b.ageMs ?? Infinity) - (a.ageMs ?? Infinity))[0];
  if (worst === undefined) return [];
  const age = worst.ageMs === null ? 'has never stood at the end' : `last stood at the end ${worst.ageMs} ms ago`;
  const lag = (ends?.get(worst.partition) ?? worst.nextOffset) - worst.nextOffset;
  const toGo = lag < 0 ? `the log says that it ends ${-lag} records before it` : `${lag} records to go`;
  const why = worst.problem ?? replica.problem;
  return [
    {
      subject: `${replica.chunkId}@${node.state.nodeId}`,
      finding: `${replica.chunkId} on ${replica.unitId} is behind: partition ${worst.partition} ${age}, ${toGo}${why === null ? '' : `: ${why}`}`,
      impact: 'reads from it are old; session and strong reads go to other replicas or fail as LVBEHIND',
      command: `curl http://${node.state.httpAddress}/metrics   # is the node busy, or cut off from the log?`,
    },
  ];
}
