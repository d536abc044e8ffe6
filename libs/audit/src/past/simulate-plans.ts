import {
  type FindingTimes,
  type HealingPolicy,
  type HealingRound,
  LoadRates,
  planHealing,
  type ProposedPlan,
} from '@levee/cluster';
import { decodeAs } from '@levee/codec';
import type { Decision } from '@levee/events';
import type { JournalFold } from '@levee/journal';
import { asPartition, Failure, failureCode, isoTime, messageOf } from '@levee/kernel';
import type { StoredRecord } from '@levee/log';
import { type AuditWorld, walkPartition } from '../verify/walk-partition';
import { journalThen, makesUpForLost } from './journal-then';
import { judgedByFacts, whyNot } from './judged-by-facts';
import { proposalWords, type RecordedProposal, recordedProposal, sameFinding, samePlan } from './recorded-proposal';

export interface SimulationQuestion {
  /** ms since 1970. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly policy: HealingPolicy;
  /** The policy is another one than that of the dispatcher then: what is recorded need not come of it. */
  readonly isOther: boolean;
  readonly clockMarginMs?: number | undefined;
}

/** What became of a recorded proposal when it was judged again. */
interface Rejudged {
  readonly seq: number;
  readonly at: string;
  readonly recorded: string;
  readonly policyVersion: number;
  readonly by: string;
  /** Why the master refused it; `null`: it did not. */
  readonly rejection: string | null;
  /** `unknown`: the journal lacks what it rested on. */
  readonly verdict: 'same' | 'other' | 'none' | 'unknown';
  readonly why: string;
  /** Where the loads came from by which it was judged. */
  readonly loads: 'heartbeats' | 'its own evidence';
}

/** What these rules would have proposed, and nobody did. */
interface Unrecorded {
  readonly at: string;
  /** The decision behind which it would have been. */
  readonly behind: number;
  readonly what: string;
  readonly rounds: number;
}

export interface Simulation {
  readonly from: string;
  readonly to: string;
  readonly policyVersion: number;
  readonly rounds: number;
  readonly roundMs: number;
  readonly decisions: number;
  readonly rejudged: readonly Rejudged[];
  readonly unrecorded: readonly Unrecorded[];
  /** In words. */
  readonly notKnown: readonly string[];
  /** Something came out otherwise. */
  readonly differs: boolean;
}

const simulationLimits = {
  /** Held in memory. */
  decisionsMax: 200_000,
  bytesMax: 512 * 1024 * 1024,
  roundMs: 1_000,
  /** A longer time has rounds that are farther apart. */
  roundsMax: 20_000,
  /** A dispatcher asks again after a minute, and waits ten seconds for an answer. */
  candidateMs: 75_000,
  unrecordedMax: 1_000,
} as const;

/**
 * The dispatcher's rules, over what was recorded: at every moment the state as the journal has it, and the loads that
 * heartbeats still tell, or that a proposal recorded with itself. Says of each recorded proposal whether they come to
 * it again, and what they would have proposed besides. Nothing that they propose is carried out: what follows is history
 * as it was. Fails with NOT_PROVABLE where the journal does not tell that time, with LIMIT, and as the log does.
 */
export async function simulatePlans(world: AuditWorld, question: SimulationQuestion): Promise<Simulation> {
  const { fromMs, toMs, policy, clockMarginMs } = question;
  // What must last is looked at from before the time that is asked for.
  const beginMs = fromMs - Math.max(...Object.values(policy.ageMs));
  const then = await journalThen(world, { timeMs: beginMs }, { clockMarginMs });
  if (then.verdict === 'not provable') throw new Failure('NOT_PROVABLE', `${then.reason}: ${then.message}`);
  // The whole time is looked at first: a journal that is not whole further on would pass for one in which nothing happened.
  const whole = await journalThen(world, { timeMs: toMs }, { clockMarginMs });
  if (whole.verdict === 'not provable') throw new Failure('NOT_PROVABLE', `${whole.reason}: ${whole.message}`);
  const { fold } = then;
  const decisions = await decisionsUpTo(world, fold.position.nextOffset, toMs);
  const roundMs = Math.max(simulationLimits.roundMs, Math.ceil((toMs - beginMs) / simulationLimits.roundsMax));
  const replay = new Replay(fold, decisions, { ...question, beginMs, roundMs }, world.signal);
  const heard = await replayHeartbeats(world, replay, { beginMs, toMs });
  replay.until(toMs);
  return replay.result(heard);
}

interface TimedDecision {
  readonly record: StoredRecord;
  readonly atMs: number;
}

async function decisionsUpTo(world: AuditWorld, from: number, toMs: number): Promise<TimedDecision[]> {
  const found: TimedDecision[] = [];
  let [clockMs, bytes] = [-Infinity, 0];
  await walkPartition(
    world,
    { topic: world.topics.journal, partition: 0, from },
    {
      onBatch: ({ records }) => {
        for (const record of records) {
          clockMs = Math.max(clockMs, record.timestampMs);
          if (clockMs > toMs) return;
          bytes += record.value?.length ?? 0;
          if (found.length >= simulationLimits.decisionsMax || bytes > simulationLimits.bytesMax)
            throw new Failure(
              'LIMIT',
              `more than ${found.length} records (${bytes} bytes) of the journal are in that time: ask for less of it`,
            );
          const value = record.value === null ? null : Buffer.from(record.value);
          found.push({ record: { ...record, value }, atMs: clockMs });
        }
      },
      onHole: ({ why }) => {
        throw new Failure('NOT_PROVABLE', `journal-unreadable: ${why}`);
      },
      isEnough: () => clockMs > toMs,
    },
  );
  return found;
}

/** Plays what heartbeats tell in between; from when on there were any. */
async function replayHeartbeats(
  world: AuditWorld,
  replay: Replay,
  { beginMs, toMs }: { readonly beginMs: number; readonly toMs: number },
): Promise<number | undefined> {
  const topic = world.topics.heartbeats;
  if ((await world.log.describeTopics([topic])).length === 0) return undefined;
  const from = await world.log.offsetAt(topic, asPartition(0), Math.max(0, beginMs));
  let [firstMs, lastMs]: [number | undefined, number] = [undefined, -Infinity];
  await walkPartition(
    world,
    { topic, partition: 0, from },
    {
      onBatch: ({ records }) => {
        for (const { value, timestampMs } of records) {
          lastMs = Math.max(lastMs, timestampMs);
          if (lastMs > toMs) return;
          if (value !== null && replay.beat(value, lastMs)) firstMs ??= lastMs;
        }
      },
      onHole: () => undefined,
      isEnough: () => lastMs > toMs,
    },
  );
  return firstMs;
}

interface Candidate {
  readonly payload: ProposedPlan;
  readonly firstMs: number;
  readonly behind: number;
  lastMs: number;
  rounds: number;
  isMatched: boolean;
}

/** One run over the history, in the order of times. */
class Replay {
  private readonly rates: LoadRates;
  private readonly heardMs = new Map<string, number>();
  private readonly candidates = new Map<string, Candidate>();
  private readonly rejudged: Rejudged[] = [];
  private findings: FindingTimes = new Map();
  private last: HealingRound | undefined;
  private next = 0;
  private nextRoundMs: number;
  private rounds = 0;
  private decisions = 0;

  constructor(
    private readonly fold: JournalFold,
    private readonly records: readonly TimedDecision[],
    private readonly how: SimulationQuestion & { readonly beginMs: number; readonly roundMs: number },
    private readonly signal: AbortSignal,
  ) {
    this.rates = new LoadRates(how.policy.rateHalfLifeMs);
    this.nextRoundMs = how.beginMs;
  }

  /** Whether it is a node's, with loads. */
  beat(value: Buffer, atMs: number): boolean {
    this.until(atMs);
    try {
      const beat = decodeAs('Heartbeat', value);
      if (beat.kind !== 'node') return false;
      this.rates.heard(beat, atMs);
      if (beat.loads.length === 0) return false;
      this.heardMs.set(beat.id, atMs);
      return true;
    } catch {
      // Bytes of strangers, or of a version to come.
      return false;
    }
  }

  until(timeMs: number): void {
    for (;;) {
      const due = this.records[this.next];
      if (due !== undefined && due.atMs <= Math.min(timeMs, this.nextRoundMs)) {
        this.next++;
        this.decide(due);
      } else if (this.nextRoundMs <= timeMs) {
        this.round(this.nextRoundMs);
        this.nextRoundMs += this.how.roundMs;
      } else return;
    }
  }

  result(heardFromMs: number | undefined): Simulation {
    const { fromMs, toMs, policy, roundMs } = this.how;
    const unrecorded = [...this.candidates.values()].filter(({ isMatched, lastMs }) => !isMatched && lastMs >= fromMs);
    const differs =
      unrecorded.length > 0 || this.rejudged.some(({ verdict }) => verdict === 'other' || verdict === 'none');
    return {
      ...{ from: isoTime(fromMs), to: isoTime(toMs), policyVersion: policy.version, roundMs },
      ...{ rounds: this.rounds, decisions: this.decisions, rejudged: this.rejudged, differs },
      unrecorded: unrecorded.slice(0, simulationLimits.unrecordedMax).map(({ payload, firstMs, behind, rounds }) => ({
        ...{ at: isoTime(firstMs), behind, what: proposalWords(payload), rounds },
      })),
      notKnown: this.notKnown(heardFromMs, unrecorded.length),
    };
  }

  private notKnown(heardFromMs: number | undefined, unrecorded: number): string[] {
    const { fromMs, policy, isOther } = this.how;
    const lines: string[] = [];
    if (heardFromMs === undefined)
      lines.push('loads: no heartbeats of that time are kept; known is only what proposals recorded with themselves');
    else if (heardFromMs > fromMs)
      lines.push(
        `loads before ${isoTime(heardFromMs)}: heartbeats are kept for an hour; known is only what proposals recorded with themselves`,
      );
    if (!isOther)
      lines.push(
        'the settings of the dispatcher then (LEVEE_SETTLE_TIME, LEVEE_COOL_DOWN, LEVEE_HOT_CHUNK, LEVEE_HOT_NODE): no decision has them, their defaults are taken',
      );
    lines.push('whether a dispatcher ran, and what it had heard: it keeps nothing');
    lines.push('what would have come of other proposals: at each moment the state is the one that was');
    const others = new Set(
      this.rejudged.map(({ policyVersion }) => policyVersion).filter((of) => of !== policy.version),
    );
    if (others.size > 0)
      lines.push(
        `rules of policy version ${[...others].join(', ')}: this build has those of version ${policy.version}`,
      );
    if (unrecorded > simulationLimits.unrecordedMax)
      lines.push(`${unrecorded - simulationLimits.unrecordedMax} more that nobody proposed are left out`);
    return lines;
  }

  private round(nowMs: number, findings = this.findings): HealingRound {
    if (this.signal.aborted) throw new Failure('INTERRUPTED', `the simulation was ended at ${isoTime(nowMs)}`);
    const { state } = this.fold;
    this.rates.keepOnly((nodeId) => state.node(nodeId) !== undefined);
    const round = planHealing({ state, loads: this.rates, policy: this.how.policy, nowMs, findings });
    [this.findings, this.last] = [round.findings, round];
    this.rounds++;
    for (const { key, payload } of round.proposals) {
      const known = this.candidates.get(key);
      const fresh = { firstMs: nowMs, behind: this.fold.position.seq, rounds: 0, isMatched: false };
      const { firstMs, behind, rounds, isMatched } = known ?? fresh;
      this.candidates.set(key, { payload, firstMs, behind, lastMs: nowMs, rounds: rounds + 1, isMatched });
    }
    return round;
  }

  private decide({ record, atMs }: TimedDecision): void {
    const { seq } = this.fold.position;
    const decision = decisionIn(record);
    const isNext = decision?.seq === seq + 1 && decision.term === this.fold.position.term;
    const proposal = isNext ? recordedProposal(decision, atMs) : undefined;
    if (proposal !== undefined && atMs >= this.how.fromMs) this.rejudge(proposal);
    try {
      const folded = this.fold.apply(record);
      if (folded.kind !== 'adopted') return;
      if (makesUpForLost(folded.adopted.decision))
        throw new Failure(
          'NOT_PROVABLE',
          `decision-lost: decisions behind ${seq} were lost and repaired at ${isoTime(atMs)}: what was in force before that is not known`,
        );
      if (atMs >= this.how.fromMs) this.decisions++;
    } catch (error) {
      if (failureCode(error) === 'NOT_PROVABLE') throw error;
      throw new Failure('NOT_PROVABLE', `journal-broken: at offset ${record.offset}, ${messageOf(error)}`);
    }
  }

  private rejudge(proposal: RecordedProposal): void {
    const { payload, atMs } = proposal;
    this.round(atMs);
    const near = [...this.candidates.values()].filter(({ lastMs }) => atMs - lastMs <= simulationLimits.candidateMs);
    const found = near.filter((each) => sameFinding(each.payload, payload));
    for (const each of found) each.isMatched = true;
    if (found.some((each) => samePlan(each.payload, payload))) return this.tell(proposal, 'same', '', 'heartbeats');
    const isHeard = [...this.heardMs.values()].some((heardMs) => atMs - heardMs <= simulationLimits.candidateMs);
    // With the rules of then, the figures that it was made with are nearer than those of a heartbeat.
    if (!isHeard || !this.how.isOther) {
      const { verdict, why } = judgedByFacts(proposal, {
        state: this.fold.state,
        findings: this.findings,
        ...this.how,
      });
      if (!isHeard || verdict === 'same') return this.tell(proposal, verdict, why, 'its own evidence');
    }
    const [other] = found;
    if (other !== undefined) return this.tell(proposal, 'other', proposalWords(other.payload), 'heartbeats');
    this.tell(proposal, 'none', whyNot(proposal, this.last) ?? 'nothing is found there', 'heartbeats');
  }

  private tell(
    { seq, atMs, payload, policyVersion, principal: by, rejection }: RecordedProposal,
    verdict: Rejudged['verdict'],
    why: string,
    loads: Rejudged['loads'],
  ): void {
    const recorded = proposalWords(payload);
    this.rejudged.push({ seq, at: isoTime(atMs), recorded, policyVersion, by, rejection, verdict, why, loads });
  }
}

function decisionIn({ value }: StoredRecord): Decision | undefined {
  try {
    return value === null ? undefined : decodeAs('Decision', value);
  } catch {
    return undefined;
  }
}
