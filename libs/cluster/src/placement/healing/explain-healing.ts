import type { PlanState } from '@levee/events';
import type { FindingTimes } from './findings';
import type { Trigger } from './healing-policy';
import { hotChunkThreshold } from './rules/hot-chunks';
import type { Facts } from './proposal';
import { relativeLoad, relativeUse } from './room';
import { shareOf, type ChunkFigures, type NodeFigures, type Survey } from './survey';

/** What a rule sees in a chunk or node: figures against thresholds, whether or not anything follows. */
export interface Judgement {
  readonly trigger: Trigger;
  readonly message: string;
  readonly facts: Facts;
}

/** How every rule judges this chunk or node by the figures of the last look; empty for what it does not know. */
export function judge(survey: Survey, findings: FindingTimes, subject: string): Judgement[] {
  const chunk = survey.chunkById.get(subject);
  if (chunk !== undefined) return withAges(judgeChunk(survey, chunk), survey, findings, subject);
  const node = survey.nodes.get(subject);
  return node === undefined ? [] : withAges(judgeNode(survey, node), survey, findings, subject);
}

function judgeChunk({ policy, activity }: Survey, figures: ChunkFigures): Judgement[] {
  const { chunk, living, namespace, storedBytes, capacityBytes, requestsPerSecond, isMeasured } = figures;
  const open = activity.openOn.get(chunk.chunkId);
  const held = open === undefined ? '' : `; ${open.kind} ${open.planId} holds it (${open.state}, step ${open.step})`;
  const hot = hotChunkThreshold(policy, figures);
  const share = storedBytes / capacityBytes;
  const unknown = 'nobody has told its load yet';
  return [
    {
      trigger: 'deadReplica',
      message: `${living.length} of ${namespace.replicas} replicas live${held}`,
      facts: { replicasLiving: living.length, replicasWanted: namespace.replicas, planId: open?.planId ?? null },
    },
    {
      trigger: 'fullChunk',
      message: isMeasured
        ? `holds ${storedBytes} of ${capacityBytes} bytes, a share of ${share.toFixed(2)}; full from ${policy.fullShare.enter}`
        : unknown,
      facts: { storedBytes, capacityBytes, share, fullFrom: policy.fullShare.enter, isMeasured },
    },
    {
      trigger: 'hotChunk',
      message: isMeasured ? `${Math.round(requestsPerSecond)} requests per second; hot from ${hot.enter}` : unknown,
      facts: { requestsPerSecond, hotFrom: hot.enter, isMeasured },
    },
    {
      trigger: 'coldNeighbours',
      message: `its namespace asks for ${namespace.chunks} chunks; neighbours are merged only while there are more`,
      facts: { chunksWanted: namespace.chunks, coldShare: policy.coldShare },
    },
  ];
}

function judgeNode(survey: Survey, node: NodeFigures): Judgement[] {
  const { policy, activity } = survey;
  const [load, use] = [relativeLoad(survey, node), relativeUse(survey, node)];
  const closed = whyClosed(node, activity.reservedNodes.get(node.node.nodeId));
  return [
    {
      trigger: 'hotNode',
      message:
        `${Math.round(node.load)} requests per second, ${load.toFixed(2)} times its share; hot from ${policy.hotNode.enter} ` +
        `times and ${policy.hotNodePerSecondMin} requests per second`,
      facts: { load: node.load, share: shareOf(survey, node), relative: load, primaries: node.primaries },
    },
    {
      trigger: 'emptyNode',
      message:
        `${node.used} of ${node.units} units in use, ${use.toFixed(2)} times the mean; empty below ` +
        `${policy.emptyNode.enterBelow} times; ${node.spare} stay free for healing${closed}`,
      facts: { used: node.used, units: node.units, relative: use, spare: node.spare, free: node.freeUnits.length },
    },
    {
      trigger: 'unevenPrimaries',
      message: `leads ${node.primaries} chunks; it hands one over where a follower's node leads two fewer`,
      facts: { primaries: node.primaries },
    },
  ];
}

function whyClosed({ node, isOpen }: NodeFigures, reserved: PlanState | undefined): string {
  if (isOpen) return '';
  if (reserved !== undefined) return `; gets nothing: ${reserved.kind} ${reserved.planId} is ${reserved.state}`;
  return node.cordoned
    ? `; gets nothing: it is cordoned (levee node uncordon ${node.nodeId})`
    : '; gets nothing: it is not up, or its disk is nearly full';
}

function withAges(judgements: Judgement[], { nowMs }: Survey, findings: FindingTimes, subject: string): Judgement[] {
  return judgements.map(({ trigger, message, facts }) => {
    const sinceMs = findings.get(`${trigger}/${subject}`)?.sinceMs;
    if (sinceMs === undefined) return { trigger, message, facts };
    return {
      trigger,
      message: `${message}; found for ${nowMs - sinceMs} ms`,
      facts: { ...facts, foundForMs: nowMs - sinceMs },
    };
  });
}
