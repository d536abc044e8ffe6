import { isDeepStrictEqual } from 'node:util';
import { nextPlanWork } from '../src';
import { dice, full, seed } from '../../../test/support/seed';
import { tell } from '../../../test/support/counts';
import type { ClusterState } from '../src/state/state';
import { chooseReplicas } from '../src/plans/propose/choose-replicas';
import { isLost, isReadable, isReshape } from '../src/plans/plan-shape';
import { problemsOf } from './cluster-script';
import { PlanScript } from './plans/plan-script';
import { calmed, plansThatNeverEnd, RandomWalk, type Submission } from './random-walk';

const walks = full ? 6_000 : 60;
const stepsMax = 90;
const problemsShownMax = 3;

/** Commands by which copies are lost, or by which people ask for it. */
const mayLose = new Set([
  'LoseNode',
  'RegisterNode',
  'RollbackPlan',
  'DeleteNamespace',
  'FailNamespace',
  'AlterNamespace',
  'SwapNamespaces',
]);

/** Runs through the state as everything that happens to it does, and looks at it after each command. */
class JudgedScript extends PlanScript {
  readonly faults: string[] = [];
  readonly said: Submission[] = [];
  private readonly outcomes = new Map<string, string>();

  override submit(
    ...[kind, payload, options = {}]: Parameters<PlanScript['submit']>
  ): ReturnType<PlanScript['submit']> {
    const before = mayLose.has(kind) || hasNoRoom(this.state, kind, payload) ? undefined : livingBySlots(this.state);
    if (typeof payload === 'object' && payload !== null)
      this.said.push({
        kind,
        payload,
        principal: options.principal ?? 'user/test',
        nowMs: this.nowMs,
        ...(options.id === undefined ? {} : { id: options.id }),
      });
    const isNext = isNextWork(this.state, kind, payload, this.nowMs);
    const verdict = super.submit(kind, payload, options);
    this.faults.push(...problemsOf(this.state));
    // A master that is told to give a command which is refused, or changes nothing, gives it for ever.
    if (isNext && !verdict.repeated && verdict.events.every((event) => event.kind === 'outcome'))
      this.faults.push(`${kind} is what comes next, and brings nothing: ${verdict.rejection?.message ?? 'accepted'}`);
    if (before !== undefined) this.faults.push(...copiesLost(this.state, before, kind));
    const { outcome } = verdict;
    const told = JSON.stringify(outcome);
    const was = this.outcomes.get(outcome.commandId);
    const recorded = JSON.stringify(this.state.outcome(outcome.commandId));
    if (recorded !== told)
      this.faults.push(`outcome ${outcome.commandId} is recorded as ${recorded}, told was ${told}`);
    if (was !== undefined && verdict.repeated && was !== told)
      this.faults.push(`outcome ${outcome.commandId} was ${was} and becomes ${told}`);
    this.outcomes.set(outcome.commandId, told);
    return verdict;
  }
}

/** New chunks with as many copies as the old ones have by now cannot be had: what lacks is healed later. */
function hasNoRoom(state: ClusterState, kind: string, payload: unknown): boolean {
  const plan = kind === 'SwitchPlan' ? state.plan((payload as { planId: string }).planId) : undefined;
  return plan !== undefined && isReshape(plan) && 'code' in chooseReplicas(state, plan);
}

function isNextWork(state: ClusterState, kind: string, payload: unknown, nowMs: number): boolean {
  const plan = kind.endsWith('Plan') ? state.plan((payload as { planId?: string }).planId ?? '') : undefined;
  const work = plan && nextPlanWork(state, plan, nowMs);
  return work?.kind === 'submit' && work.command === kind && isDeepStrictEqual(work.payload, payload);
}

interface Living {
  readonly namespace: string;
  readonly slotStart: number;
  readonly slotEnd: number;
  readonly living: number;
}

function livingBySlots(state: ClusterState): Living[] {
  return [...state.chunks()]
    .filter((chunk) => chunk.state === 'serving')
    .map(({ namespace, slotStart, slotEnd, replicas }) => {
      const living = replicas.filter((of) => isReadable(of) && !isLost(state, of)).length;
      return { namespace, slotStart, slotEnd, living };
    });
}

/** Slots with fewer living copies than before, and than their namespace asks for. */
function copiesLost(state: ClusterState, before: readonly Living[], kind: string): string[] {
  const after = livingBySlots(state);
  return before.flatMap(({ namespace, slotStart, slotEnd, living: was }) => {
    const wanted = Math.min(was, state.namespace(namespace)?.replicas ?? 0);
    const fewest = Math.min(
      ...after
        .filter((of) => of.namespace === namespace && of.slotStart < slotEnd && slotStart < of.slotEnd)
        .map(({ living }) => living),
    );
    return fewest >= wanted
      ? []
      : [`${kind} leaves ${fewest} of ${was} living replicas of ${namespace} ${slotStart}..${slotEnd}`];
  });
}

function founded(): JudgedScript {
  const script = new JudgedScript({ founded: false });
  script.accept('InitCluster', { clusterId: 'c-1' });
  script.nodes(5, 9);
  script.namespace('a', { chunks: 2, replicas: 3, partitions: 10 });
  script.namespace('m', { chunks: 1, replicas: 2, partitions: 2, failoverStrategy: 'manual' });
  return script;
}

/** The first thing that is wrong, if any; what was said until then stays in the script. */
function wrongIn(script: JudgedScript, walk: (script: JudgedScript) => void): string | undefined {
  try {
    walk(script);
  } catch (error) {
    return `throws ${(error as Error).message}`;
  }
  return script.faults[0];
}

function walked(script: JudgedScript, throwDice: () => number): void {
  const walk = new RandomWalk(script, throwDice);
  for (let steps = 10 + Math.floor(throwDice() * stepsMax); steps > 0 && script.faults.length === 0; steps--)
    for (const { kind, payload, principal, id } of walk.next())
      script.submit(kind, payload, { principal, ...(id === undefined ? {} : { id }) });
  if (script.faults.length > 0) return;
  calmed(script);
  const endless = plansThatNeverEnd(script);
  script.faults.push(...endless.map((plan) => `never ends: ${plan}`), ...leftBehind(script.state));
}

function leftBehind(state: ClusterState): string[] {
  const faults: string[] = [];
  for (const chunk of state.chunks()) {
    if (chunk.state !== 'serving') faults.push(`${chunk.chunkId} is left behind ${chunk.state}`);
    for (const { role, unitId } of chunk.replicas) if (role === 'retired') faults.push(`${unitId} is left retired`);
  }
  for (const { unitId, state: is } of state.units())
    if (is === 'reclaiming') faults.push(`${unitId} is left reclaiming`);
  return faults;
}

/** The same words again, some left out. */
function replayed(said: readonly Submission[]): string | undefined {
  return wrongIn(founded(), (script) => {
    for (const { kind, payload, principal, nowMs, id } of said) {
      script.nowMs = nowMs;
      script.submit(kind, payload, { principal, ...(id === undefined ? {} : { id }) });
      if (script.faults.length > 0) return;
    }
  });
}

const sortOf = (fault: string | undefined): string => (fault ?? 'nothing').replaceAll(/[0-9]+/g, 'N').slice(0, 24);

/** As few of the words as still lead there; for people. */
function shortest(said: readonly Submission[], fault: string): readonly Submission[] {
  if (sortOf(replayed(said)) !== sortOf(fault)) return said;
  let kept = said;
  for (let size = Math.ceil(said.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let at = 0; at < kept.length;) {
      const fewer = [...kept.slice(0, at), ...kept.slice(at + size)];
      if (sortOf(replayed(fewer)) === sortOf(fault)) kept = fewer;
      else at += size;
    }
  return kept;
}

/** One walk of one seed; words for what went wrong. */
function walkOf(from: number): string | undefined {
  const script = founded();
  const begun = script.said.length;
  const fault = wrongIn(script, () => walked(script, dice(from)));
  if (fault === undefined) return undefined;
  const words = shortest(script.said.slice(begun), fault).map(
    ({ kind, payload, principal, nowMs }) => `${nowMs} ${principal} ${kind} ${JSON.stringify(payload)}`,
  );
  return [`walk ${from}: ${fault}`, ...script.faults.slice(1, 5), ...words.slice(-60)].join('\n');
}

/** `LEVEE_TEST_WALK=<n>` repeats one walk. */
const wanted = process.env['LEVEE_TEST_WALK'];

it(`walks of seed ${seed}: nothing throws, every plan ends, no copy goes while it need not, no outcome changes`, () => {
  const numbers = wanted === undefined ? Array.from({ length: walks }, (_, i) => seed * 100_003 + i) : [Number(wanted)];
  const begunMs = performance.now();
  const problems: string[] = [];
  let count = 0;
  for (const number of numbers) {
    const problem = walkOf(number);
    count++;
    if (problem !== undefined && problems.push(problem) === problemsShownMax) break;
  }
  tell({
    scenario: 'random walks of commands over the rules',
    repetitions: count,
    failures: problems.length,
    figure: 's for all of them',
    values: [(performance.now() - begunMs) / 1_000],
  });
  expect(problems.join('\n\n')).toBe('');
}, 1_800_000);
