import { decodeAs } from '@levee/codec';
import type { Heartbeat } from '@levee/events';
import type { ClusterView, ControlTopics } from '@levee/journal';
import {
  asOffset,
  asPartition,
  type Clock,
  failureCode,
  type Logger,
  type Offset,
  pause,
  type Timers,
} from '@levee/kernel';
import type { Log } from '@levee/log';
import type { NodeIdentity } from '../node-identity';
import { nodeLimits } from '../node-limits';

/** Who a process is not looking for: itself. */
export interface Self {
  readonly nodeId: string;
  readonly incarnation: string;
}

/**
 * Address of another process that says it is `nodeId`, heard within `silenceMs` from `from` on (default the end of the
 * heartbeats); `undefined` = silence.
 */
export async function heardOfRival(
  log: Log,
  heartbeats: string,
  { self, silenceMs, timers, from }: { self: Self; silenceMs: number; timers: Timers; from?: Offset },
): Promise<string | undefined> {
  const nextOffset = from ?? (await log.offsets(heartbeats))[0]?.endOffset ?? asOffset(0);
  const done = new AbortController();
  const cancel = timers.after(silenceMs, () => done.abort());
  try {
    const tail = log.tail(heartbeats, asPartition(0), { nextOffset, leaderEpoch: -1 }, { signal: done.signal });
    for await (const { records } of tail)
      for (const { value } of records) {
        const beat = value === null ? undefined : heartbeatIn(value);
        if (beat?.kind === 'node' && beat.id === self.nodeId && beat.incarnation !== self.incarnation)
          return beat.address;
      }
    return undefined;
  } finally {
    cancel();
    done.abort();
  }
}

/**
 * [safety] A copy of this disk may serve under our name, and two of them must not. Resolves when the process that
 * registered the disk is not heard any more; says why it waits to `goOn`, which may end the wait.
 */
export async function waitForRivals(
  view: ClusterView,
  options: RivalsOptions,
  goOn: (problem: string) => boolean,
): Promise<void> {
  const { log, topics, identity: self, at, clock, timers, logger } = options;
  let said: string | undefined;
  for (;;) {
    const known = view.state.node(self.nodeId);
    if (known === undefined || known.storeId !== self.storeId || known.incarnation === self.incarnation) return;
    const { twinSilenceMs: silenceMs } = nodeLimits;
    const twin = await heardOfTwin(log, topics.heartbeats, { self, silenceMs, timers, nowMs: clock.nowMs() });
    if (twin === undefined) return;
    const problem =
      `${self.nodeId} with disk ${self.storeId} is alive at ${twin}, this process at ${at} has a copy of that disk: ` +
      'stop one of them; a new node needs a LEVEE_NODE_ID of its own and an empty folder';
    if (problem !== said) logger.error({ problem }, 'another process serves with a copy of this disk');
    said = problem;
    if (!goOn(problem)) return;
    await pause(timers, silenceMs);
  }
}

interface RivalsOptions {
  readonly log: Log;
  readonly topics: Pick<ControlTopics, 'heartbeats'>;
  readonly identity: NodeIdentity;
  /** host:port of our RESP door. */
  readonly at: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/**
 * The same for a disk that was registered by another run of the process: usually that one has ended, and when the last
 * `silenceMs` of the log know nothing of it, nothing is waited for. One folder cannot be open twice, but a copy can.
 */
async function heardOfTwin(
  log: Log,
  heartbeats: string,
  { nowMs, ...options }: { self: Self; silenceMs: number; timers: Timers; nowMs: number },
): Promise<string | undefined> {
  const partition = asPartition(0);
  const from = await log.offsetAt(heartbeats, partition, nowMs - options.silenceMs);
  const end = (await log.offsets(heartbeats))[0]?.endOffset ?? from;
  if (!(await heardBetween(log, heartbeats, { self: options.self, from, end }))) return undefined;
  return heardOfRival(log, heartbeats, options);
}

async function heardBetween(
  log: Log,
  heartbeats: string,
  { self, from, end }: { self: Self; from: Offset; end: Offset },
): Promise<boolean> {
  if (from >= end) return false;
  const stop = new AbortController();
  const position = { nextOffset: from, leaderEpoch: -1 };
  try {
    for await (const { records, nextOffset } of log.tail(heartbeats, asPartition(0), position, {
      signal: stop.signal,
    })) {
      for (const { value } of records) {
        const beat = value === null ? undefined : heartbeatIn(value);
        if (beat?.kind === 'node' && beat.id === self.nodeId && beat.incarnation !== self.incarnation) return true;
      }
      if (nextOffset >= end) return false;
    }
    return false;
  } catch (error) {
    if (failureCode(error) !== 'RECORD_CORRUPT') throw error;
    // It may have been said there: who lives says it again.
    return true;
  } finally {
    stop.abort();
  }
}

function heartbeatIn(value: Buffer): Heartbeat | undefined {
  try {
    return decodeAs('Heartbeat', value);
  } catch {
    return undefined;
  }
}
