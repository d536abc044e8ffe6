import { maintenanceLimits } from '@levee/cluster';
import { decode } from '@levee/codec';
import type { Decision } from '@levee/events';
import { asPartition, type Clock, type Logger, messageOf, Pause, type Timers } from '@levee/kernel';
import type { Log, StoredRecord } from '@levee/log';
import type { ClusterView } from './cluster-view';
import { readAcross } from './fold/journal-holes';
import { sha256Of } from './record/journal-chain';
import type { ControlTopics } from './topics/control-topics';

const limits = { readMs: 60_000, retryMs: 1_000 } as const;

interface End {
  /** Of the decision that said so. */
  readonly seq: number;
  /** Wall clock ms. */
  readonly untilMs: number;
}

/** A decision as it was read: in force only when a later one in force names it as its predecessor. */
interface Read {
  readonly previousSha256: string;
  readonly seq: number;
  /** Set when it began a maintenance. */
  readonly began: { readonly nodeId: string; readonly untilMs: number } | undefined;
}

/**
 * When each maintenance ends. The state says only that a node is in one; for how long is in the decision that began it,
 * so a master that starts to reign reads the stretch of the journal in which that can stand. Where that stretch begins
 * nobody knows which term is in force: what counts is what the chain of hashes leads to, backwards from where the view
 * stands.
 */
export class MaintenanceEnds {
  private readonly ends = new Map<string, End>();
  private readonly stopping = new AbortController();
  private readonly pause: Pause;
  private complete = false;
  private unlisten: () => void = () => undefined;

  constructor(
    private readonly log: Log,
    private readonly view: ClusterView,
    private readonly options: {
      readonly topics: ControlTopics;
      readonly clock: Clock;
      readonly timers: Timers;
      readonly logger: Logger;
    },
  ) {
    this.pause = new Pause(options.timers, this.stopping.signal);
  }

  start(): void {
    this.unlisten = this.view.onDecision(({ decision }) => this.take(decision));
    if (this.maintained().length === 0) this.complete = true;
    else void this.read();
  }

  stop(): void {
    this.stopping.abort();
    this.unlisten();
  }

  /** Nodes whose maintenance is over. */
  due(): string[] {
    const nowMs = this.options.clock.nowMs();
    return this.maintained().filter((nodeId) => {
      const untilMs = this.ends.get(nodeId)?.untilMs;
      // Begun longer ago than any maintenance may last: its decision was not found.
      return untilMs === undefined ? this.complete : nowMs >= untilMs;
    });
  }

  /** When the maintenance of this node ends, wall clock ms; `undefined` when it is in none, or that was not read yet. */
  endOf(nodeId: string): number | undefined {
    return this.view.state.node(nodeId)?.state === 'maintenance' ? this.ends.get(nodeId)?.untilMs : undefined;
  }

  private maintained(): string[] {
    return [...this.view.state.nodes()].filter(({ state }) => state === 'maintenance').map(({ nodeId }) => nodeId);
  }

  private take(decision: Decision): void {
    const began = beginOf(decision);
    if (began !== undefined) this.keep(began.nodeId, { seq: decision.seq, untilMs: began.untilMs });
  }

  /** What was read of the past may come after what was decided since. */
  private keep(nodeId: string, end: End): void {
    const known = this.ends.get(nodeId);
    if (known === undefined || known.seq < end.seq) this.ends.set(nodeId, end);
  }

  private async read(): Promise<void> {
    const { topics, clock, logger } = this.options;
    const partition = asPartition(0);
    while (!this.stopping.signal.aborted)
      try {
        const { previousSha256 } = this.view.journal.position;
        const from = await this.log.offsetAt(topics.journal, partition, clock.nowMs() - maintenanceLimits.forMsMax);
        const decisions = new Map<string, Read>();
        const onBatch = ({ records }: { records: readonly StoredRecord[] }): void => {
          for (const record of records) gather(record, decisions);
        };
        // What a stretch that cannot be read says of maintenances stays unknown.
        const onHole = (): void => undefined;
        await readAcross(this.log, topics.journal, { clock, deadlineMs: limits.readMs, from, onBatch, onHole });
        for (let read = decisions.get(previousSha256); read; read = decisions.get(read.previousSha256)) {
          const { began, seq } = read;
          if (began !== undefined) this.keep(began.nodeId, { seq, untilMs: began.untilMs });
        }
        this.complete = true;
        return;
      } catch (error) {
        logger.warn({ error: messageOf(error) }, 'the journal could not be searched for the end of a maintenance');
        await this.pause.for(limits.retryMs);
      }
  }
}

/** Of a decision that began a maintenance: of whom, and when it ends. */
function beginOf(decision: Decision): Read['began'] {
  const { kind, payload } = decision.command;
  if (kind !== 'MaintainNode' || decision.rejectionCode !== null) return undefined;
  // A repetition during the maintenance was accepted and changed nothing: its one event is the outcome.
  if (!decision.events.some((bytes) => decode(bytes).name === 'NodeState')) return undefined;
  const { nodeId, forMs } = JSON.parse(payload) as { nodeId: string; forMs: number };
  return { nodeId, untilMs: decision.decidedAtMs + forMs };
}

/** What cannot be read is no decision in force: the view stands behind it. */
function gather({ value }: StoredRecord, decisions: Map<string, Read>): void {
  if (value === null) return;
  try {
    const decoded = decode(value);
    if (decoded.name !== 'Decision') return;
    const { previousSha256, seq } = decoded.record;
    decisions.set(sha256Of(value), { previousSha256, seq, began: beginOf(decoded.record) });
  } catch {
    return;
  }
}
