import { CliFailure } from './exit';
import {
  followedLines,
  followedSteps,
  headLine,
  overStates,
  partLine,
  progressLine,
  stepLine,
  summaryLines,
  type PlanReport,
} from './plan-report';
import type { Tools } from './command-tools';
import { write } from './terminal';

/** Moves the cursor up over what was drawn and clears from there. */
const redraw = (lines: number): string => (lines === 0 ? '' : `\u001b[${lines}A\u001b[J`);

/**
 * Follows a plan until it is over. On a terminal the view is drawn anew in place; else each news is one line, so that
 * the output can be kept and searched. Ends with a failure when the plan failed, or was cancelled or rolled back.
 */
export async function watchPlan({ terminal, output, portal }: Tools, planId: string): Promise<void> {
  const { isTTY, columns = 80 } = terminal.stdout as { isTTY?: boolean; columns?: number };
  const live = output.format === 'text' && isTTY === true;
  const shown = new Shown();
  let drawn = 0;
  let last: PlanReport | undefined;
  for await (const row of portal.lines({ path: `/v1/plans/${encodeURIComponent(planId)}/watch` })) {
    last = row as unknown as PlanReport;
    if (output.format !== 'text') await output.row(row, '');
    else if (live) {
      // A line that wraps would take more rows than are cleared.
      const lines = followedLines(last).map((line) => line.slice(0, columns - 1));
      await write(terminal.stdout, `${redraw(drawn)}${lines.join('\n')}\n`);
      drawn = lines.length;
    } else for (const line of shown.news(last)) await output.raw(`${line}\n`);
  }
  if (last === undefined) return;
  const isOver = overStates.includes(last.plan.state);
  // Whoever presses Ctrl-C wants to know whether the change is stopped too; a script, that it is not over.
  if (terminal.interrupted.aborted && !isOver)
    throw new CliFailure(
      'PLAN_NOT_DONE',
      `plan ${planId} goes on: levee plan watch ${planId} follows it, levee plan cancel ${planId} or rollback gives it up`,
    );
  const { state, failureCode, failureMessage } = last.plan;
  if (state === 'done') return;
  if (state === 'failed')
    throw new CliFailure(failureCode ?? 'PLAN_FAILED', `plan ${planId} stopped: ${failureMessage ?? ''}`);
  if (isOver) throw new CliFailure('PLAN_NOT_DONE', `plan ${planId} is ${state}`);
  throw new CliFailure(
    'UNREACHABLE',
    `the portal ended the watch of plan ${planId}, which is ${state}: watch it again`,
  );
}

/** What was printed already, so that a line comes once. */
class Shown {
  private readonly lines = new Set<string>();
  private readonly steps = new Set<string>();
  private readonly progress = new Map<string, string>();

  news(report: PlanReport): string[] {
    const lines: string[] = [];
    const once = (line: string): void => {
      if (!this.lines.has(line)) lines.push(line);
      this.lines.add(line);
    };
    const { attempt } = report.plan;
    once(headLine(report.plan));
    for (const line of summaryLines(report)) once(line);
    for (const step of followedSteps(report)) {
      const key = `${attempt} ${step.number} ${step.state}`;
      if (step.state === 'waiting' || step.state === 'skipped' || this.steps.has(key)) continue;
      this.steps.add(key);
      lines.push(stepLine(step));
    }
    for (const each of report.progress) {
      const state = `${each.step} ${Math.floor((each.percent ?? 0) / 10)}`;
      if (this.progress.get(each.unitId) === state) continue;
      this.progress.set(each.unitId, state);
      lines.push(progressLine(each));
    }
    for (const part of report.parts) once(partLine(part));
    return lines;
  }
}
