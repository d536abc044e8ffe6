import type { Row } from './output';

/** What the portal says of a plan; the fields are those of its JSON. */
export interface PlanReport {
  readonly plan: PlanRow;
  readonly steps: readonly StepRow[];
  readonly progress: readonly ProgressRow[];
  readonly parts: readonly PlanRow[];
  readonly waits?: { readonly reason: string; readonly sinceMs: number; readonly isAlarm: boolean } | null;
  readonly cannotEnd?: string | null;
  /** Of a dry run alone. */
  readonly prediction?: Row;
}

export interface PlanRow {
  readonly planId: string;
  readonly kind: string;
  readonly state: string;
  readonly step: string;
  readonly attempt: number;
  readonly namespace: string | null;
  readonly nodeId: string | null;
  readonly sources: readonly string[];
  readonly trigger: string;
  readonly failureCode: string | null;
  readonly failureMessage: string | null;
  readonly approved: boolean;
  readonly targets?: readonly { readonly chunkId: string; readonly replicas: readonly MadeReplicaRow[] }[];
  /** JSON text. */
  readonly verified?: string | null;
}

interface MadeReplicaRow {
  readonly unitId: string;
  /** JSON text. */
  readonly evidence: string;
}

interface StepRow {
  readonly number: number;
  readonly name: string;
  readonly state: string;
  readonly atMs: number | null;
  readonly seq: number | null;
  readonly evidence: string;
}

interface ProgressRow {
  readonly unitId: string;
  readonly chunkId: string;
  readonly step: string;
  readonly recordsCopied: number;
  readonly bytesCopied: number;
  readonly bytesTotal: number;
  readonly bytesPerSecond: number;
  readonly lagRecords: number;
  readonly percent: number | null;
  readonly remainingMs: number | null;
}

export const overStates: readonly string[] = ['done', 'cancelled', 'rolledBack'];

/** One line of `levee plan list`. */
export function planSummary(row: Row): Row {
  const plan = row as unknown as PlanRow;
  const waits = plan.state === 'proposed' && !plan.approved ? 'waits for: levee plan approve' : null;
  return { ...row, what: subject(plan), problem: plan.failureMessage ?? waits };
}

function subject({ sources, namespace, nodeId }: PlanRow): string {
  if (sources.length > 0) return sources.length > 3 ? `${sources.slice(0, 3).join(' ')} …` : sources.join(' ');
  return nodeId ?? namespace ?? 'of all namespaces';
}

/** A plan in lines for people: what it is, how far and how long, then its steps, each with its evidence. */
export function planLines(report: PlanReport): string[] {
  return linesOf(report, report.steps);
}

/** The same for who follows it: without what was there before it began, and without evidence. */
export function followedLines(report: PlanReport): string[] {
  return linesOf(report, followedSteps(report));
}

/** Steps that follow the proposal, which whoever watches has given or seen. */
export function followedSteps({ steps }: PlanReport): StepRow[] {
  return steps.filter(({ number }) => number > 3).map((step) => ({ ...step, evidence: '' }));
}

function linesOf(report: PlanReport, steps: readonly StepRow[]): string[] {
  const { progress, parts, prediction } = report;
  if (prediction !== undefined) return dryRunLines(report, prediction as unknown as Prediction);
  const lines = [headLine(report.plan), ...summaryLines(report)];
  const leftMs = Math.max(...progress.map(({ remainingMs }) => remainingMs ?? 0), 0);
  if (leftMs > 0) lines.push(`  the copies are done in about ${duration(leftMs)}`);
  for (const step of steps) if (step.state !== 'skipped') lines.push(stepLine(step));
  if (steps === report.steps) lines.push(...proofLines(report.plan));
  for (const each of progress) lines.push(progressLine(each));
  for (const part of parts) lines.push(partLine(part));
  return lines;
}

/** How far it is and what keeps it, in words. */
export function summaryLines({ plan, parts, waits, cannotEnd }: PlanReport): string[] {
  const lines: string[] = [];
  if (plan.failureCode !== null) lines.push(`  stopped: ${plan.failureCode}: ${plan.failureMessage ?? ''}`);
  if (typeof cannotEnd === 'string')
    lines.push(`  it cannot end as things are: ${cannotEnd}; levee plan cancel ${plan.planId} gives it up`);
  else if (waits !== undefined && waits !== null && !waits.reason.startsWith('its part')) lines.push(waitLine(waits));
  if (parts.length > 0) {
    const over = parts.filter(({ state }) => overStates.includes(state)).length;
    lines.push(`  parts that are over: ${over} of ${parts.length} so far`);
  }
  return lines;
}

/** What shows that nothing was left out: where each copy was taken, and that both sides hold the same. */
function proofLines({ targets = [], verified }: PlanRow): string[] {
  const copies = targets.flatMap(({ chunkId, replicas }) =>
    replicas.flatMap(({ unitId, evidence }) => {
      const { from = '', snapshot = [], lagRecords = -1 } = read<CopyEvidence>(evidence);
      if (from === '' || from === 'log') return [];
      const lag = lagRecords < 0 ? '' : `, lag ${lagRecords}`;
      return [`  ${chunkId} -> ${unitId}  copied from ${from}, snapshot at ${listed(snapshot)}${lag}`];
    }),
  );
  const { barriers = [], keys = 0, digest = '' } = read<VerifiedEvidence>(verified ?? '');
  if (digest === '') return copies;
  return [...copies, `  both sides hold ${keys} keys, digest ${digest} at ${listed(barriers)}`];
}

interface CopyEvidence {
  readonly from: string;
  readonly snapshot: readonly string[];
  readonly lagRecords: number;
}

interface VerifiedEvidence {
  readonly barriers: readonly string[];
  readonly keys: number;
  readonly digest: string;
}

/** Evidence is kept as JSON text, which an older version may have written without some of it. */
function read<T>(json: string): Partial<T> {
  try {
    return JSON.parse(json) as Partial<T>;
  } catch {
    return {};
  }
}

const positionsShown = 8;
const listed = (positions: readonly string[]): string =>
  positions.slice(0, positionsShown).join(' ') +
  (positions.length > positionsShown ? ` and ${positions.length - positionsShown} more` : '');

interface Places {
  readonly chunkId: string;
  readonly slotStart: number;
  readonly slotEnd: number;
  readonly replicas: readonly string[];
}

interface Balance {
  readonly nodeId: string;
  readonly replicas: number;
  readonly primaries: number;
  readonly unitsFree: number;
}

interface Prediction {
  readonly outcome: string;
  readonly chunksBefore: readonly Places[];
  readonly chunksAfter: readonly Places[];
  readonly nodesBefore: readonly Balance[];
  readonly nodesAfter: readonly Balance[];
  readonly replicasMade: number;
  readonly bytes: number;
  readonly expectedMs: number;
}

/** What would move, how much, how long, and what each place is before and after. */
function dryRunLines({ plan }: PlanReport, would: Prediction): string[] {
  const { outcome, chunksBefore, chunksAfter, replicasMade, bytes, expectedMs } = would;
  const changes = [...chunksBefore.map((chunk) => `  before  ${placesText(chunk)}`)];
  changes.push(...chunksAfter.map((chunk) => `  after   ${placesText(chunk)}`), ...nodeLines(would));
  const about = `${plan.kind} ${subject(plan)}`;
  if (outcome === 'done' && replicasMade === 0 && changes.length === 0)
    return ['dry run: nothing is changed', `${about} would change nothing: all is where it should be`];
  const ends = outcome === 'done' ? 'would be done' : `would not get to its end as things are: ${outcome}`;
  const made = `${replicasMade} ${replicasMade === 1 ? 'replica' : 'replicas'}`;
  const costs = `  copies ${made}, ${bytes} bytes; takes about ${duration(expectedMs)}, the time to observe included`;
  return [
    'dry run: nothing is changed',
    `${about} ${ends}`,
    ...(outcome !== 'done' && replicasMade === 0 ? [] : [costs]),
    ...changes,
  ];
}

const placesText = ({ chunkId, slotStart, slotEnd, replicas }: Places): string =>
  `${chunkId}  slots ${slotStart} to ${slotEnd}  ${replicas.join(', ')}`;

/** Of the nodes that would be other than they are. */
function nodeLines({ nodesBefore, nodesAfter }: Prediction): string[] {
  const told = ({ replicas, primaries, unitsFree }: Balance): string =>
    `${replicas} replicas (${primaries} primary), ${unitsFree} free units`;
  return nodesBefore.flatMap((before) => {
    const after = nodesAfter.find(({ nodeId }) => nodeId === before.nodeId);
    if (after === undefined || told(after) === told(before)) return [];
    return [`  ${before.nodeId}: ${told(before)} -> ${told(after)}`];
  });
}

function duration(ms: number): string {
  if (ms < 90_000) return `${Math.ceil(ms / 1_000)} s`;
  return ms < 5_400_000 ? `${Math.round(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`;
}

export function headLine(plan: PlanRow): string {
  const again = plan.attempt > 1 ? `, attempt ${plan.attempt}` : '';
  return `${plan.planId}  ${plan.kind} ${subject(plan)}  ${plan.state}${again}  (${plan.trigger})`;
}

/** Without the time of the last event: that is new again and again while the reason stays. */
function waitLine({ reason, isAlarm }: { reason: string; isAlarm: boolean }): string {
  return `  waits for ${reason}${isAlarm ? ', for too long' : ''}`;
}

export function partLine(part: PlanRow): string {
  const stopped = part.failureMessage === null ? '' : `: ${part.failureMessage}`;
  // A running part is told by its step; of the others the state says all.
  const stage = part.state === 'running' ? part.step : part.state;
  return `  part ${part.planId}  ${part.kind} ${subject(part)}  ${stage}${stopped}`;
}

export function stepLine({ number, name, state, atMs, seq, evidence }: StepRow): string {
  const when = atMs === null ? '-'.padEnd(24) : new Date(atMs).toISOString();
  const where = seq === null ? '' : `  decision ${seq}`;
  return `  ${number}. ${name.padEnd(42)} ${state.padEnd(8)} ${when}${where}${evidence === '' || evidence === '{}' ? '' : `  ${cut(evidence)}`}`;
}

export function progressLine(of: ProgressRow): string {
  const share = of.percent === null ? '' : ` ${of.percent.toFixed(0)} %`;
  const rate = of.bytesPerSecond > 0 ? `  ${(of.bytesPerSecond / 1e6).toFixed(1)} MB/s` : '';
  const lag = of.lagRecords < 0 ? '' : `  lag ${of.lagRecords}`;
  const left = of.remainingMs === null ? '' : `  about ${Math.ceil(of.remainingMs / 1000)} s left`;
  const done = `${of.recordsCopied} records, ${of.bytesCopied} bytes`;
  return `  ${of.chunkId} -> ${of.unitId}  ${of.step}${share}  ${done}${rate}${lag}${left}`;
}

const evidenceLengthMax = 160;
export const cut = (text: string, lengthMax: number = evidenceLengthMax): string =>
  text.length <= lengthMax ? text : `${text.slice(0, lengthMax)}… (-o json shows all)`;
