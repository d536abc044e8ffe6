import { randomUUID } from 'node:crypto';
import { decodeAs, encode } from '@levee/codec';
import type { Barrier, ChunkState, Heartbeat } from '@levee/events';
import { barrierKey, submit, type ClusterView } from '@levee/journal';
import { asOffset, asPartition, type Offset } from '@levee/kernel';
import { slotRangeOf } from '@levee/keyspace';
import type { Log } from '@levee/log';
import { nodeRegistration, topics, world } from './control-plane';

const beatMs = 20;

/**
 * A node that keeps no data but does all that plans ask of one: says its positions, answers digest barriers, reports
 * copies and catch-ups, clears units. Its digest of a chunk in a partition is the number of slots they share, so that
 * the parts of a split add up.
 */
export class ScriptedNode {
  readonly registration;
  /** Do not report these steps; the copy stands still. */
  readonly stuckAt = new Set<'copy' | 'catchUp'>();
  /** Number of records copied that heartbeats tell. */
  recordsCopied = 0;
  /** Added to every digest of these chunks: they differ from what they should be. */
  readonly spoiled = new Map<string, bigint>();
  /** Answer no digest barrier. */
  mute = false;
  /** Say positions behind the barriers of these chunks. */
  readonly behind = new Set<string>();
  private readonly ends = new Map<string, Offset>();
  private readonly reported = new Set<string>();
  private readonly stop = new AbortController();
  private readonly readers: Promise<void>[] = [];
  private timer: NodeJS.Timeout | undefined;
  private unlisten: () => void = () => undefined;

  constructor(
    private readonly log: Log,
    private readonly view: ClusterView,
    readonly nodeId: string,
    units = 8,
  ) {
    this.registration = nodeRegistration(nodeId, units);
  }

  start(): void {
    this.beat();
    this.unlisten = this.view.onDecision(() => void this.act());
    void this.act();
  }

  beat(): void {
    this.timer ??= setInterval(() => {
      void this.send();
      void this.act();
    }, beatMs);
  }

  silence(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  async close(): Promise<void> {
    this.silence();
    this.unlisten();
    this.stop.abort();
    await Promise.all(this.readers);
  }

  /** Another run of the same node; digests under way are lost. */
  async restart(): Promise<void> {
    this.registration.payload.incarnation = randomUUID();
    await submit(this.log, topics, this.registration);
  }

  private get incarnation(): string {
    return this.registration.payload.incarnation;
  }

  private get storeId(): string {
    return this.registration.payload.storeId;
  }

  private *replicas(): Iterable<{ chunk: ChunkState; unitId: string; generation: number }> {
    for (const chunk of this.view.state.chunks())
      for (const { nodeId, unitId, generation } of chunk.replicas)
        if (nodeId === this.nodeId) yield { chunk, unitId, generation };
  }

  private async act(): Promise<void> {
    for (const namespace of this.view.state.namespaces())
      if (namespace.state === 'active' && !this.ends.has(`${namespace.binlog}/0`))
        for (let partition = 0; partition < namespace.partitions; partition++) {
          this.ends.set(`${namespace.binlog}/${partition}`, asOffset(0));
          this.readers.push(this.read(namespace.binlog, partition));
        }
    for (const unit of this.view.state.unitsOf(this.nodeId))
      if (unit.state === 'reclaiming') this.say('FinishReclaim', { unitId: unit.unitId, generation: unit.generation });
    for (const plan of this.view.state.openPlans())
      for (const { replicas } of plan.targets)
        for (const { nodeId, unitId, generation, step } of replicas) {
          if (nodeId !== this.nodeId || step === 'ready' || plan.state !== 'running' || this.stuckAt.has(step))
            continue;
          this.say('ReportPlanStep', {
            planId: plan.planId,
            attempt: plan.attempt,
            unitId,
            generation,
            storeId: this.storeId,
            incarnation: this.incarnation,
            step,
            recordsCopied: 10,
            bytesCopied: 100,
            evidence: {},
          });
        }
    return Promise.resolve();
  }

  private say(kind: string, payload: object): void {
    const what = `${kind} ${JSON.stringify(payload)}`;
    if (this.reported.has(what)) return;
    this.reported.add(what);
    void submit(this.log, topics, { kind, payload, principal: `node ${this.nodeId}` }).catch(() =>
      this.reported.delete(what),
    );
  }

  private async read(binlog: string, partition: number): Promise<void> {
    const from = { nextOffset: asOffset(0), leaderEpoch: -1 };
    const options = { signal: this.stop.signal, idleMs: 50 };
    for await (const batch of this.log.tail(binlog, asPartition(partition), from, options)) {
      for (const { key, value, offset } of batch.records)
        if (key?.equals(barrierKey) === true && value !== null)
          await this.answer(decodeAs('Barrier', value), { binlog, partition, barrierOffset: offset });
      this.ends.set(`${binlog}/${partition}`, batch.nextOffset);
    }
  }

  private async answer(
    { digestPlan, chunks }: Barrier,
    at: { readonly binlog: string; readonly partition: number; readonly barrierOffset: number },
  ): Promise<void> {
    if (digestPlan === null || this.mute) return;
    const { partition, barrierOffset } = at;
    for (const { chunk, unitId, generation } of this.replicas()) {
      const namespace = this.view.state.namespace(chunk.namespace);
      if (namespace?.binlog !== at.binlog || (chunks.length > 0 && !chunks.includes(chunk.chunkId))) continue;
      const block = slotRangeOf(asPartition(partition), namespace.partitions);
      const slots = Math.min(chunk.slotEnd, block.slotEnd) - Math.max(chunk.slotStart, block.slotStart);
      if (slots <= 0) continue;
      const value = encode('ReplicaDigest', {
        namespace: namespace.name,
        chunkId: chunk.chunkId,
        partition,
        digestPlan,
        barrierOffset,
        digest: (BigInt(slots) + (this.spoiled.get(chunk.chunkId) ?? 0n)).toString(16).padStart(32, '0'),
        keys: slots,
        nodeId: this.nodeId,
        storeId: this.storeId,
        incarnation: this.incarnation,
        unitId,
        generation,
        computedAtMs: world.clock.nowMs(),
      });
      await this.log.append(topics.digests, asPartition(0), [{ key: null, value }]).catch(() => undefined);
    }
  }

  private async send(): Promise<void> {
    const positions = [...this.replicas()].flatMap(({ chunk }) => {
      const { binlog, partitions } = this.view.state.namespace(chunk.namespace) ?? { binlog: '', partitions: 0 };
      return Array.from({ length: partitions }, (_, partition) => partition)
        .filter((partition) => {
          const block = slotRangeOf(asPartition(partition), partitions);
          return chunk.slotStart < block.slotEnd && block.slotStart < chunk.slotEnd;
        })
        .map((partition) => ({
          namespace: chunk.namespace,
          partition,
          chunkId: chunk.chunkId,
          nextOffset: this.behind.has(chunk.chunkId) ? 1 : (this.ends.get(`${binlog}/${partition}`) ?? 0),
          atEndAtMs: 0,
        }));
    });
    const moves = [...this.view.state.openPlans()].flatMap(({ planId, state, targets }) =>
      targets.flatMap(({ chunkId, replicas }) =>
        replicas.flatMap(({ nodeId, unitId, generation, step }) =>
          nodeId === this.nodeId && state === 'running'
            ? {
                planId,
                chunkId,
                unitId,
                generation,
                step,
                recordsCopied: this.recordsCopied,
                bytesCopied: 0,
                bytesTotal: 0,
                lagRecords: -1,
              }
            : [],
        ),
      ),
    );
    const beat: Heartbeat = {
      kind: 'node',
      id: this.nodeId,
      incarnation: this.incarnation,
      address: '127.0.0.1:7400',
      sentAtMs: world.clock.nowMs(),
      featureLevel: 2,
      positions,
      loads: [],
      moves,
      freeDiskBytes: -1,
      errors: [],
    };
    const record = { key: null, value: encode('Heartbeat', beat) };
    await this.log.append(topics.heartbeats, asPartition(0), [record]).catch(() => undefined);
  }
}
