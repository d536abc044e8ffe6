import { planKinds } from '@levee/cluster';
import { type Command, InvalidArgumentError } from 'commander';
import { durationMs, wholeNumber } from './arguments';
import { CliFailure, usageFailure } from './exit';
import type { Output, Row } from './output';
import { planLines, planSummary, type PlanReport } from './plan-report';
import { watchPlan } from './plan-watch';
import { jsonBody, type PortalClient } from './portal-client';
import type { Tools, ToolsOf } from './command-tools';
import { mannerOf, proposalOf, type ProposalOptions } from './proposal';
import { rowsOf } from './rows';
import { addSimulateCommand } from './simulate-command';

/** Changes of where data lives: proposed, looked at, approved, taken back. */
export function addPlanCommands(program: Command, toolsOf: ToolsOf): void {
  const plan = program
    .command('plan')
    .description('recorded changes of where data lives: moves, splits, merges, resizes, drains, formats');

  withManner(
    plan
      .command('propose <kind>')
      .description(`propose a plan: ${planKinds.join(', ')}`)
      .option('--chunk <id>', 'a chunk; repeat it for merge and shift', listed)
      .option('--from <node>', 'move: the node whose replica moves')
      .option('--to <node>', 'move, reReplicate, promote: the node that gets it (default: the best one)')
      .option('--unit <unit>', 'move: the very unit that gets it')
      .option('--engine <engine>', 'move: leveldb or memory')
      .option('--at <slot>', 'split, shift: first slot of the next chunk; repeat it to split into more', listedNumbers)
      .option('--parts <count>', 'split: into how many (default 2)', wholeNumber)
      .option('-n, --namespace <name>', 'resize, rebalance: the namespace')
      .option('--chunks <count>', 'resize: how many chunks it shall have', wholeNumber)
      .option('--node <node>', 'drain, format: the node')
      .option('--units <specs>', 'format: its new units, such as 8x1GiB:leveldb,4x256MiB:memory'),
  ).action(async (kind: string, options: ProposalOptions, command: Command) => {
    const known = planKinds.find((one) => one === kind);
    if (known === undefined) throw usageFailure(`'${kind}' is no kind of plan: one of ${planKinds.join(', ')}`);
    await propose(toolsOf(command), proposalOf(known, options), options);
  });

  plan
    .command('list')
    .description('plans that are not over, or all that are remembered')
    .option('--all', 'also those that are over')
    .option('-n, --namespace <name>', 'only those of a namespace')
    .action(async (options: { all?: boolean; namespace?: string }, command: Command) => {
      const { output, portal } = toolsOf(command);
      const query = { state: options.all === true ? 'all' : 'open', namespace: options.namespace };
      const rows = rowsOf(await portal.json({ path: '/v1/plans', query }), 'plans');
      if (output.format !== 'text') return output.value(rows);
      if (rows.length === 0)
        return output.note(
          options.all === true ? 'no plan is remembered' : 'no plan is open; --all shows those that are over',
        );
      await output.table(rows.map(planSummary), [
        'planId',
        'kind',
        'state',
        'step',
        'attempt',
        'what',
        'trigger',
        'problem',
      ]);
    });

  addSimulateCommand(plan, toolsOf);

  plan
    .command('show <plan>')
    .description('one plan: its steps, each with time and evidence')
    .action(async (planId: string, _options: Row, command: Command) => {
      const { output, portal } = toolsOf(command);
      await print(output, await reportOf(portal, planId));
    });

  plan
    .command('watch <plan>')
    .description('follow a plan until it is over; exit code 1 when it did not succeed')
    .action(async (planId: string, _options: Row, command: Command) => watchPlan(toolsOf(command), planId));

  const verbs = {
    approve: 'let a plan begin that waits for approval',
    cancel: 'give a plan up before its switch: nothing of it stays',
    rollback: 'take a switch back while the plan observes: no write is lost',
    retry: 'try a plan again that stopped',
  } as const;
  for (const [verb, description] of Object.entries(verbs))
    plan
      .command(`${verb} <plan>`)
      .description(description)
      .action(async (planId: string, _options: Row, command: Command) => {
        const { output, portal } = toolsOf(command);
        await print(output, await order(portal, planId, { verb }));
      });
  plan
    .command('finish <plan>')
    .description('end the time to observe now: what was superseded goes, and a rollback with it')
    .option('--reason <text>', 'kept with who it was')
    .action(async (planId: string, { reason }: { reason?: string }, command: Command) => {
      const { output, portal } = toolsOf(command);
      await print(output, await order(portal, planId, { verb: 'finish', body: { reason } }));
    });
}

async function order(
  portal: PortalClient,
  planId: string,
  { verb, body }: { readonly verb: string; readonly body?: object },
): Promise<PlanReport> {
  const path = `/v1/plans/${encodeURIComponent(planId)}/${verb}`;
  const told = body === undefined ? {} : jsonBody(body);
  return (await portal.json({ method: 'POST', path, ...told })) as unknown as PlanReport;
}

/** `namespace resize`, `node drain`, `node format`: plans by the name people look for. */
export function addPlanShortcuts(program: Command, toolsOf: ToolsOf): void {
  const group = (name: string): Command => {
    const found = program.commands.find((command) => command.name() === name);
    if (found === undefined) throw new Error(`there is no command ${name} to add to`);
    return found;
  };
  withManner(
    group('namespace')
      .command('resize <name>')
      .description('give a namespace another number of chunks while it serves')
      .requiredOption('--chunks <count>', 'how many chunks it shall have', wholeNumber),
  ).action(async (namespace: string, options: ProposalOptions, command: Command) =>
    propose(toolsOf(command), { kind: 'resize', namespace, chunks: options.chunks, ...mannerOf(options) }, options),
  );
  withManner(
    group('node')
      .command('drain <node>')
      .description('move every replica off a node, and cordon it: it stays a member, empty until levee node uncordon'),
  ).action(async (nodeId: string, options: ProposalOptions, command: Command) =>
    propose(toolsOf(command), { kind: 'drain', nodeId, ...mannerOf(options) }, options),
  );
  withManner(
    group('node')
      .command('format <node>')
      .description('empty a node, clear it, and give it new units; then it takes replicas again, unless it is cordoned')
      .requiredOption('--units <specs>', 'such as 8x1GiB:leveldb,4x256MiB:memory'),
  ).action(async (nodeId: string, options: ProposalOptions, command: Command) =>
    propose(toolsOf(command), { kind: 'format', nodeId, units: options.units, ...mannerOf(options) }, options),
  );
}

function withManner(command: Command): Command {
  return command
    .option('--observe <duration>', 'how long a rollback stays possible after the switch (default 10m)', durationMs)
    .option('--max-lag <records>', 'how far behind still counts as caught up', wholeNumber)
    .option('--hold', 'let it wait for levee plan approve')
    .option('--dry-run', 'say what it would do, and change nothing')
    .option('--watch', 'follow it until it is over');
}

async function propose({ terminal, output, portal }: Tools, proposal: Row, options: ProposalOptions): Promise<void> {
  const request = {
    method: 'POST',
    path: '/v1/plans',
    ...jsonBody(proposal),
    query: options.dryRun === true ? { dryRun: 1 } : {},
  } as const;
  const report = (await portal.json(request)) as unknown as PlanReport;
  if (options.watch === true && options.dryRun !== true)
    return watchPlan({ terminal, output, portal }, report.plan.planId);
  await print(output, report);
  const outcome = report.prediction?.['outcome'];
  if (options.dryRun === true && typeof outcome === 'string' && outcome !== 'done')
    throw new CliFailure(
      'PLAN_NOT_DONE',
      `it would not get to its end as things are${output.format === 'text' ? ', see above' : `: ${outcome}`}`,
    );
}

async function reportOf(portal: PortalClient, planId: string): Promise<PlanReport> {
  return (await portal.json({ path: `/v1/plans/${encodeURIComponent(planId)}` })) as unknown as PlanReport;
}

async function print(output: Output, report: PlanReport): Promise<void> {
  await output.value(report, planLines(report).join('\n'));
}

function listed(text: string, before: string[] = []): string[] {
  return [...before, text];
}

function listedNumbers(text: string, before: number[] = []): number[] {
  const slot = wholeNumber(text);
  if (slot < 1 || slot > 999_999) throw new InvalidArgumentError('a slot from 1 to 999,999 is needed.');
  return [...before, slot];
}
