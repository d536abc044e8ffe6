import type { Row } from './output';

/** What the portal says of a plan; the fields are those of its JSON. */
export interface PlanReport {
  readonly plan: PlanRow;
  readonly steps: readonly StepRow[];
  readonly progress: readonly ProgressRow[];
  readonly parts: readonly PlanRow[];
  readonly waits?: { readonly reason: string; readonly sinceMs: number; readonly isAlarm: boolean } | null;
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
  return nodeId ?? namespace ?? '-';
}

/** A plan in lines for people: what it is, its steps, how far it is. */
export function planLines(report: PlanReport): string[] {
  const { plan, steps, progress, parts, waits, prediction } = report;
  const lines = prediction === undefined ? [] : ['dry run: nothing is changed; this is what the plan would do'];
  lines.push(headLine(plan));
  if (plan.failureCode !== null) lines.push(`  stopped: ${plan.failureCode}: ${plan.failureMessage ?? ''}`);
  const waiting = waitLine(waits);
  if (waiting !== undefined) lines.push(waiting);
  for (const step of steps) lines.push(stepLine(step));
  for (const each of progress) lines.push(progressLine(each));
  for (const part of parts)
    lines.push(`  part ${part.planId}  ${part.kind} ${subject(part)}  ${part.state} ${part.step}`);
  for (const [name, value] of Object.entries(prediction ?? {})) lines.push(...predictionLines(name, value));
  return lines;
}

export function headLine(plan: PlanRow): string {
  return `${plan.planId}  ${plan.kind} ${subject(plan)}  ${plan.state}  attempt ${plan.attempt}  (${plan.trigger})`;
}

export function waitLine(waits: PlanReport['waits']): string | undefined {
  if (waits === undefined || waits === null) return undefined;
  const { reason, sinceMs, isAlarm } = waits;
  return `  waits for ${reason}, since ${new Date(sinceMs).toISOString()}${isAlarm ? ': too long' : ''}`;
}

/** A list of rows has a line for each. */
function predictionLines(name: string, value: unknown): string[] {
  if (!Array.isArray(value)) return [`  ${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`];
  const fields = (row: Row): string =>
    Object.entries(row)
      .map(([field, of]) => `${field} ${Array.isArray(of) ? of.join(', ') : String(of)}`)
      .join('  ');
  return [`  ${name}:${value.length === 0 ? ' none' : ''}`, ...(value as Row[]).map((row) => `    ${fields(row)}`)];
}

export function partLine(part: PlanRow): string {
  const stopped = part.failureMessage === null ? '' : `: ${part.failureMessage}`;
  return `  part ${part.planId}  ${part.kind} ${subject(part)}  ${part.state} ${part.step}${stopped}`;
}

export function stepLine({ number, name, state, atMs, seq, evidence }: StepRow): string {
  const when = atMs === null ? '-'.padEnd(24) : new Date(atMs).toISOString();
  const where = seq === null ? '' : `  decision ${seq}`;
  return `  ${number}. ${name.padEnd(42)} ${state.padEnd(8)} ${when}${where}${evidence === '' ? '' : `  ${cut(evidence)}`}`;
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
export const cut = (text: string): string =>
  text.length <= evidenceLengthMax ? text : `${text.slice(0, evidenceLengthMax)}… (-o json shows all)`;
