import type { NodeState } from '@levee/events';
import type { PayloadFields } from '../../payload';
import { followersBehindLimits, type FollowerBehind } from '../../liveness/followers-behind';
import { reject, type Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';

/** What a decision about a node rests on. It stays in the command that the journal keeps, so anyone can judge it later. */
export interface LivenessEvidence {
  /** Proven silence of the node's heartbeats, in milliseconds of the observer's monotonic clock. */
  readonly silentMs: number;
  /** Who observed it. */
  readonly observers: readonly string[];
  /** Errors that other processes saw towards the node. */
  readonly reports: readonly LivenessReport[];
}

export interface LivenessReport {
  /** Kind and name of the process, such as `portal p1`. */
  readonly by: string;
  /** Code of the last error. */
  readonly code: string;
  readonly count: number;
  /** How long before the decision the report was read. */
  readonly agoMs: number;
}

/** Reads `behind`, before `readObserved`: followers that should not lead while others can. */
export function readBehind(fields: PayloadFields): readonly FollowerBehind[] {
  const read = (of: PayloadFields): FollowerBehind => ({
    chunkId: of.text('chunkId', 512),
    nodeId: of.text('nodeId', 63),
    records: of.integer('records', { min: 1, max: Number.MAX_SAFE_INTEGER }),
  });
  return fields.optional('behind', (name) => fields.objects(name, followersBehindLimits.entriesMax, read), []);
}

const silentMsMax = 10 * 365 * 86_400_000;

/** Reads `nodeId`, `incarnation` and the evidence: the node, if it still is the process that was observed. */
export function readObserved(state: ClusterState, fields: PayloadFields): NodeState | Rejection {
  const nodeId = fields.text('nodeId', 63);
  const incarnation = fields.text('incarnation', 64);
  fields.integer('silentMs', { min: 0, max: silentMsMax, unit: 'ms' });
  fields.texts('observers', 64);
  fields.objects('reports', 64, (report) => {
    report.text('by');
    report.text('code');
    report.integer('count', { min: 1, max: Number.MAX_SAFE_INTEGER });
    report.integer('agoMs', { min: 0, max: silentMsMax, unit: 'ms' });
  });
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const node = state.node(nodeId);
  if (node === undefined) return reject('NODE_UNKNOWN', `there is no node ${nodeId}`);
  if (node.incarnation === incarnation) return node;
  return reject(
    'STALE_INCARNATION',
    `what was observed is run ${incarnation} of node ${nodeId}, which has registered as run ${node.incarnation} since`,
  );
}
