import type { PlanState } from '@levee/events';
import { nextPlanWork } from '../src';
import { isPlanOver } from '../src/state/entities';
import { replicasMade } from '../src/plans/plan-shape';
import { badEvidence } from './nodes/bad-evidence';
import { registration } from './cluster-script';
import type { PlanScript } from './plans/plan-script';

/** What somebody submits; by its values alone, so that a walk can be walked again with some of it left out. */
export interface Submission {
  readonly kind: string;
  readonly payload: object;
  readonly principal: string;
  readonly nowMs: number;
  /** Of an earlier command, when it is given again; else one of its own. */
  readonly id?: string;
}

const walkLimits = { nodes: 5, units: 9, fillingStepsMax: 14, stayMs: 30_000, awayMs: 700_000 } as const;

/** One throw at a time: what somebody does next, given how things stand. */
export class RandomWalk {
  /** Commands given so far, for those that give one again. */
  private readonly given: Submission[] = [];
  private runs = 1;

  constructor(
    private readonly script: PlanScript,
    private readonly dice: () => number,
  ) {}

  /** What is submitted next; nothing when what the dice chose is not there, or lets time pass alone. */
  next(): Submission[] {
    const [, act] = this.weighted(this.acts);
    const submissions = act();
    this.given.push(...submissions);
    return submissions;
  }

  private readonly acts: readonly (readonly [weight: number, act: () => Submission[]])[] = [
    [30, () => this.honest()],
    [14, () => this.proposal()],
    [9, () => this.order()],
    [5, () => this.asMaster()],
    [4, () => this.badEvidence()],
    [4, () => this.report()],
    [6, () => this.loss()],
    [8, () => this.back()],
    [3, () => this.wiped()],
    [6, () => this.nodeFate()],
    [4, () => this.unit()],
    [2, () => this.namespace()],
    [1, () => this.rewind()],
    [1, () => this.acknowledgement()],
    [2, () => this.user()],
    [3, () => this.again()],
    [3, () => this.pass(this.nat(4) === 0 ? 90_000_000 : 30_000)],
  ];

  private nat(below: number): number {
    return Math.floor(this.dice() * below);
  }

  private pick<T>(list: readonly T[]): T | undefined {
    return list[this.nat(list.length)];
  }

  private weighted<T extends readonly [weight: number, ...unknown[]]>(list: readonly T[]): T {
    let left = this.dice() * list.reduce((sum, [weight]) => sum + weight, 0);
    return list.find(([weight]) => (left -= weight) < 0) ?? (list[0] as T);
  }

  private says(kind: string, payload: object, principal = 'user/test'): Submission {
    return { kind, payload, principal, nowMs: this.script.nowMs };
  }

  /** Of few names, so that the same are created, changed and deleted again and again. */
  private user(): Submission[] {
    const name = `u${this.nat(3)}`;
    const token = { tokenId: `t${this.nat(3)}`, sha256: `${this.nat(3)}`.repeat(64) };
    const right = this.pick(['read', 'write', 'admin', 'operate', 'audit']);
    const isCluster = right === 'operate' || right === 'audit';
    const grants = [isCluster ? { right } : { right, namespaces: this.pick(['**', 'shop.*', 'default']) }];
    const [kind, fields] = this.pick<readonly [string, object]>([
      ['CreateUser', { grants, tokens: this.nat(2) === 0 ? [token] : [] }],
      ['AlterUser', { state: this.pick(['active', 'disabled']) }],
      ['GrantRights', { grants }],
      ['RevokeRights', { grants }],
      ['CreateToken', { ...token, expiresAtMs: this.script.nowMs + this.nat(1_000_000) }],
      ['RevokeToken', { tokenId: token.tokenId }],
      ['DeleteUser', {}],
    ]) as readonly [string, object];
    return [this.says(kind, { name, ...fields })];
  }

  private pass(ms: number): Submission[] {
    this.script.nowMs += this.nat(ms);
    return [];
  }

  private nodeId(): string {
    return `n${1 + this.nat(walkLimits.nodes)}`;
  }

  private plan(): PlanState | undefined {
    const { state } = this.script;
    // Also those that are over: what is said of them comes late, and changes nothing.
    return this.pick([...(this.nat(8) === 0 ? state.plans() : state.openPlans())]);
  }

  /** Master and nodes go on for a while as they should: their commands are given by the script's ideal cluster. */
  private honest(): Submission[] {
    for (let steps = 1 + this.nat(walkLimits.fillingStepsMax); steps > 0; steps--) this.script.ideal.step();
    return [];
  }

  private proposal(): Submission[] {
    const { state } = this.script;
    const chunk = this.pick([...state.chunks()]);
    if (chunk === undefined) return [];
    const { chunkId, namespace, replicas } = chunk;
    const chunks = state.chunksOf(namespace);
    const at = chunks.findIndex((of) => of.chunkId === chunkId);
    const chunkIds = chunks.slice(Math.max(0, at), at + 2).map((of) => of.chunkId);
    const nodeId = this.nodeId();
    const fields: readonly (readonly [weight: number, kind: string, fields: object])[] = [
      [
        4,
        'move',
        { chunkId, from: this.pick(replicas)?.nodeId ?? nodeId, ...(this.nat(3) === 0 ? { to: nodeId } : {}) },
      ],
      [4, 'split', { chunkId, parts: 2 + this.nat(2) }],
      [3, 'merge', { chunkIds }],
      [3, 'shift', { chunkIds, at: 1 + this.nat(999_999) }],
      [2, 'promote', { chunkId, to: nodeId }],
      [6, 'reReplicate', { chunkId }],
      [2, 'resize', { namespace, chunks: 1 + this.nat(5) }],
      [1, 'drain', { nodeId }],
      [2, 'format', { nodeId, units: '8x256MiB:leveldb,1x512MiB:memory' }],
      [1, 'rebalance', this.nat(2) === 0 ? {} : { namespace }],
    ];
    const [, kind, own] = this.weighted(fields);
    const observeMs = this.nat(3) === 0 ? 0 : walkLimits.stayMs;
    return [this.says('ProposePlan', { kind, ...own, observeMs, hold: this.nat(10) === 0 })];
  }

  private order(): Submission[] {
    const plan = this.plan();
    const kind = this.pick([
      'ApprovePlan',
      'CancelPlan',
      'RollbackPlan',
      'RollbackPlan',
      'RetryPlan',
      'EndObservation',
    ]);
    return plan === undefined || kind === undefined ? [] : [this.says(kind, { planId: plan.planId })];
  }

  /** What a master that is confused, or was deposed, could submit. */
  private asMaster(): Submission[] {
    const plan = this.plan();
    if (plan === undefined) return [];
    const { planId } = plan;
    const attempt = plan.attempt - this.nat(2);
    const verified = plan.verified === null ? undefined : (JSON.parse(plan.verified) as { barrierId: string });
    const barrierId = verified?.barrierId ?? 'barrier-0';
    const nothing = { barriers: [], digests: [] };
    const [kind, payload] = this.pick<readonly [string, object]>([
      ['StartPlan', { planId }],
      ['SwitchPlan', { planId, attempt, barrierId }],
      ['ReclaimPlan', { planId, barrierId: this.nat(2) === 0 ? null : barrierId, ...nothing }],
      ['FinishPlan', { planId }],
      ['FailPlan', { planId, attempt, code: 'STALLED', message: 'no progress' }],
    ]) as readonly [string, object];
    return [this.says(kind, payload, 'master')];
  }

  /** A digest that differs, evidence of another run, a barrier too many. */
  private badEvidence(): Submission[] {
    const { state, nowMs } = this.script;
    const plan = this.plan();
    const bad = badEvidence(state, plan, nowMs, this.nat(3));
    return bad === undefined ? [] : [this.says(bad.kind, bad.payload, 'master')];
  }

  private report(): Submission[] {
    const plan = this.plan();
    const replica = plan && this.pick(replicasMade(plan));
    if (plan === undefined || replica === undefined) return [];
    const stale = this.nat(5);
    const payload = {
      planId: plan.planId,
      attempt: plan.attempt + (stale === 1 ? 1 : 0),
      unitId: replica.unitId,
      generation: replica.generation + (stale === 2 ? 1 : 0),
      storeId: stale === 3 ? 'other' : replica.storeId,
      incarnation: stale === 4 ? 'other' : (this.script.state.node(replica.nodeId)?.incarnation ?? ''),
      step: this.pick(['copy', 'catchUp']),
      recordsCopied: 1,
      bytesCopied: 1,
      evidence: {},
      ...(this.nat(4) === 0 ? { failure: { code: 'DISK_FULL', message: 'no room' } } : {}),
    };
    return [this.says('ReportPlanStep', payload, `node ${replica.nodeId}`)];
  }

  private observed(nodeId: string): object {
    const incarnation = this.script.state.node(nodeId)?.incarnation ?? '';
    return { nodeId, incarnation, silentMs: walkLimits.awayMs, observers: ['m1'], reports: [] };
  }

  /** Silent, and then given up; a node that a plan needs more often than another. */
  private loss(): Submission[] {
    const plan = this.plan();
    const needed = plan === undefined ? [] : [...replicasMade(plan), ...plan.retiring].map(({ nodeId }) => nodeId);
    const nodeId = (this.nat(3) > 0 ? this.pick(needed) : undefined) ?? this.nodeId();
    return ['SuspectNode', 'LoseNode'].map((kind) => this.says(kind, this.observed(nodeId), 'master'));
  }

  /** One that is away, if any: it was silent only, or its process starts anew on its disk. */
  private back(): Submission[] {
    const away = [...this.script.state.nodes()].filter(({ state }) => state !== 'up').map(({ nodeId }) => nodeId);
    const nodeId = this.pick(away);
    if (nodeId === undefined) return [];
    return this.nat(2) === 0
      ? [this.says('ReviveNode', this.observed(nodeId), 'master')]
      : [this.registers(nodeId, {})];
  }

  /** An empty disk under the node's name. */
  private wiped(): Submission[] {
    const nodeId = this.nodeId();
    const storeId = `disk-${++this.runs}`;
    const replaces = this.nat(4) === 0 ? {} : { replaces: this.script.state.node(nodeId)?.storeId };
    return [this.registers(nodeId, { storeId, ...replaces }, { generation: 0 })];
  }

  private registers(nodeId: string, how: object, unitsHave: object = {}): Submission {
    const { state } = this.script;
    const storeId = state.node(nodeId)?.storeId;
    const units = [...state.unitsOf(nodeId)].map(({ unitId, capacityBytes, engine, generation }) => ({
      ...{ unitId, capacityBytes, engine, generation },
      ...unitsHave,
    }));
    const facts = { ...registration(nodeId), storeId, units, incarnation: `run-${++this.runs}`, ...how };
    return this.says('RegisterNode', facts, `node ${nodeId}`);
  }

  private nodeFate(): Submission[] {
    const nodeId = this.nodeId();
    const known = this.script.state.node(nodeId);
    const [, submission] = this.weighted<readonly [number, () => Submission]>([
      [4, () => this.says('SuspectNode', this.observed(nodeId), 'master')],
      [2, () => this.says('MaintainNode', { nodeId, forMs: 5_000 })],
      [3, () => this.says('EndMaintenance', { nodeId })],
      [2, () => this.says('CordonNode', { nodeId })],
      [3, () => this.says('UncordonNode', { nodeId })],
      [
        2,
        () =>
          this.registers(nodeId, {
            incarnation: known?.incarnation,
            units: registration(nodeId).units.slice(0, 4 + this.nat(6)),
          }),
      ],
      [1, () => this.registers(nodeId, {}, { capacityBytes: (128 + this.nat(3) * 128) << 20 })],
      [1, () => this.registers(nodeId, { storeId: `store-${this.nodeId()}` })],
      [2, () => this.registers(nodeId, { formatCancelled: this.plan()?.planId ?? 'none' })],
    ]);
    return [submission()];
  }

  private unit(): Submission[] {
    const { state } = this.script;
    const unit = this.pick([...state.units()]);
    if (unit === undefined) return [];
    const { unitId, nodeId } = unit;
    const generation = unit.generation - (this.nat(6) === 0 ? 1 : 0);
    const chunkId = this.pick([...state.chunks()])?.chunkId ?? 'none';
    const [, submission] = this.weighted<readonly [number, Submission]>([
      [3, this.says('AllocateUnit', { unitId, generation, chunkId })],
      [3, this.says('ReclaimUnit', { unitId, generation })],
      [2, this.says('FinishReclaim', { unitId, generation }, `node ${nodeId}`)],
    ]);
    return [submission];
  }

  private namespace(): Submission[] {
    const { state } = this.script;
    const name = this.pick(['a', 'm', 'b']) ?? 'b';
    const { number = 1, frozenSeq = null } = state.namespace(name) ?? {};
    const replicas = 1 + this.nat(3);
    const [, submission] = this.weighted<readonly [number, Submission]>([
      [3, this.says('CreateNamespace', { name: 'b', chunks: 1 + this.nat(2), replicas, partitions: 4 })],
      [4, this.says('ActivateNamespace', { name, number }, 'master')],
      [2, this.says('CreateNamespace', { name: 'b', partitions: 4, ...this.originOf('a') })],
      [2, this.says('FinishFork', { name, number, keys: 1, digest: 'ab'.repeat(16) })],
      [1, this.says('FailNamespace', { name, number }, 'master')],
      [1, this.says('DeleteNamespace', { name: this.nat(3) === 0 ? name : 'b' })],
      [2, this.says('FinishDeletion', { name, number }, 'master')],
      [2, this.says('AlterNamespace', { name, failoverStrategy: this.pick(['automatic', 'manual']) })],
      [2, this.says('FreezeNamespace', { name, reason: 'x', owner: this.pick(['a', 'b']) })],
      [2, this.says('ThawNamespace', { name, owner: this.pick(['a', 'b']) })],
      [1, this.says('ConfirmFreeze', { name, number, frozenSeq: frozenSeq ?? 1, portals: [] }, 'master')],
    ]);
    return [submission];
  }

  /** All that a rewind of `a` says, as if nobody else said anything between; `b` is what it was, or the fork. */
  private rewind(): Submission[] {
    const { state, journal } = this.script;
    const [a, b] = [state.namespace('a'), state.namespace('b')];
    if (a === undefined) return [];
    const owner = 'rewind a';
    const nextSeq = journal.length + 1;
    const { number, partitions } = a;
    const isNew = b === undefined || b.state === 'deleted';
    const otherNumber = isNew ? (b?.number ?? 0) + 1 : b.number;
    const frozenSeq = a.frozenBy === owner ? a.frozenSeq : nextSeq + 1;
    const thawOwner = a.frozenBy === owner ? 'nobody' : (a.frozenBy ?? 'nobody');
    const insteadOf = b?.frozenBy ?? undefined;
    const other = isNew
      ? [
          this.says('CreateNamespace', { name: 'b', partitions, ...this.originOf('a') }),
          this.says('ActivateNamespace', { name: 'b', number: otherNumber }, 'master'),
        ]
      : [
          this.says('FreezeNamespace', { name: 'b', reason: 'x', owner, insteadOf }),
          this.says(
            'ConfirmFreeze',
            { name: 'b', number: otherNumber, frozenSeq: b.frozenSeq ?? nextSeq + 3, portals: [] },
            'master',
          ),
        ];
    const positions = Array.from({ length: partitions }, () => 7);
    const swap = { name: 'a', number, other: 'b', otherNumber, positions, keys: 1, digest: 'ab'.repeat(16) };
    return [
      this.says('ThawNamespace', { name: 'a', owner: thawOwner }),
      this.says('FreezeNamespace', { name: 'a', reason: 'x', owner }),
      this.says('ConfirmFreeze', { name: 'a', number, frozenSeq, portals: [] }, 'master'),
      ...other,
      this.says('SwapNamespaces', swap),
      ...(this.nat(2) === 0 ? [this.says('ThawNamespace', { name: 'a', owner })] : []),
    ];
  }

  private acknowledgement(): Submission[] {
    const { number } = this.script.state.namespace('a') ?? {};
    const positions = [this.nat(5), this.nat(5)];
    return [this.says('AcknowledgeFindings', { name: 'a', number, positions, why: 'x' })];
  }

  private originOf(forkedFrom: string): Record<string, unknown> {
    const { binlog: forkedBinlog, partitions = 0 } = this.script.state.namespace(forkedFrom) ?? {};
    return { forkedFrom, forkedBinlog, forkedAtMs: 1, forkedPositions: Array.from({ length: partitions }, () => 7) };
  }

  /** An id that was given before, with the same words or with others. */
  private again(): Submission[] {
    const id = this.pick([...this.script.state.outcomes()])?.commandId;
    const other = this.pick(this.given);
    return id === undefined || other === undefined ? [] : [{ ...other, nowMs: this.script.nowMs, id }];
  }
}

/** Every node serves again, and people approve what waits for them. */
export function calmed(script: PlanScript): void {
  const submit = (kind: string, payload: object): void => void script.submit(kind, payload, { principal: 'master' });
  for (const { nodeId, incarnation, cordoned } of [...script.state.nodes()]) {
    submit('EndMaintenance', { nodeId });
    submit('ReviveNode', { nodeId, incarnation, silentMs: 0, observers: ['m1'], reports: [] });
    if (cordoned) submit('UncordonNode', { nodeId });
  }
  for (const { planId } of [...script.state.openPlans()]) submit('ApprovePlan', { planId });
}

/** What keeps plans from their end once everybody does what is to be done; none = every plan is over. */
export function plansThatNeverEnd(script: PlanScript): string[] {
  if (ends(script)) return [];
  // What finds no room is given up by people: everything else must have ended by itself.
  for (const plan of [...script.state.openPlans()])
    if (plan.state === 'proposed' || plan.step === 'parts') script.submit('CancelPlan', { planId: plan.planId });
  if (ends(script)) return [];
  return [...script.state.openPlans()]
    .filter((plan) => !isPlanOver(plan))
    .map((plan) => {
      const work = nextPlanWork(script.state, plan, script.nowMs);
      return `${plan.planId} ${plan.kind} ${plan.state} ${plan.step}: ${JSON.stringify(work)}`;
    });
}

/** The ideal cluster goes on as long as there are plans; what nodes have to clear for nobody they clear then. */
function ends(script: PlanScript): boolean {
  const over = script.ideal.run(3_000);
  for (let rounds = 0; over && rounds < 100 && script.ideal.round(); rounds++);
  return over;
}
