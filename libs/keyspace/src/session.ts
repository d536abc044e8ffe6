import { asOffset, asPartition, isoTime, type Offset, type Partition } from '@levee/kernel';
import { encodeSessionToken, type SessionPosition, type SessionToken, type SessionTokenProblem } from './session-token';

/** The log a session's offsets belong to. */
export interface SessionScope {
  readonly namespace: string;
  /** Topic of the binlog. */
  readonly binlog: string;
  readonly partitions: number;
}

/**
 * What one connection has written or seen in one namespace (I4): a read at consistency `session` waits until the
 * replica has reached `nextOffset(partition)`. Each operation is O(1); memory is 8 bytes a partition.
 */
export class Session {
  private readonly nextOffsets: Float64Array;
  private latestClockMs = 0;

  constructor(readonly scope: SessionScope) {
    this.nextOffsets = new Float64Array(scope.partitions);
  }

  /** Remembers a write's or a read's position; positions never fall. */
  observe(partition: Partition, nextOffset: Offset): void {
    if (nextOffset > (this.nextOffsets[partition] as number)) this.nextOffsets[partition] = nextOffset;
  }

  /** The log lost what was seen behind `endOffset`, and nobody brings it back there: the one way in which one falls. */
  letGo(partition: Partition, endOffset: Offset): void {
    if (endOffset < (this.nextOffsets[partition] as number)) this.nextOffsets[partition] = endOffset;
  }

  /**
   * Latest time by which its reads judged expiry, ms since 1970; 0 = none yet. The next read judges by this time or a
   * later one, at whichever portal: else a key seen as expired would be there again.
   */
  get clockMs(): number {
    return this.latestClockMs;
  }

  /** A read was judged by this time; it never falls. */
  observeClock(clockMs: number): void {
    if (clockMs > this.latestClockMs) this.latestClockMs = clockMs;
  }

  /**
   * A clock above `clockMsMax` is that of a portal with a wrong one: it is let go. Else tokens of this session would be
   * refused everywhere until that time has come, and positions that are told with them be lost.
   */
  letGoOfClock(clockMsMax: number): void {
    if (this.latestClockMs > clockMsMax) this.latestClockMs = 0;
  }

  /** The lowest next offset a replica must have reached in `partition`; 0 = nothing written or seen there. */
  nextOffset(partition: Partition): Offset {
    return asOffset(this.nextOffsets[partition] as number);
  }

  /**
   * Adds what another connection wrote or saw; the reason, when the token is of another log, or when its clock is
   * above `clockMsMax`: what one portal with a wrong clock says must not make keys vanish at the others.
   */
  merge(token: SessionToken, clockMsMax = Infinity): SessionTokenProblem | undefined {
    const { namespace, binlog, partitions } = this.scope;
    if (token.namespace !== namespace)
      return { problem: `the session token is of namespace ${token.namespace}, this request is for ${namespace}` };
    if (token.binlog !== binlog || token.partitions !== partitions)
      return {
        problem:
          `the session token is of the log ${token.binlog} (${token.partitions} partitions), ` +
          `${namespace} is on ${binlog} (${partitions}) since it was created again or rewound: start a new session`,
      };
    if (token.clockMs > clockMsMax)
      return {
        problem:
          `the session token has seen ${isoTime(token.clockMs)}, later than ${isoTime(clockMsMax)}: ` +
          'set the clocks of all portals right, or start a new session',
      };
    this.observeClock(token.clockMs);
    for (const { partition, nextOffset } of token.positions) this.observe(partition, nextOffset);
    return undefined;
  }

  /** Forgets everything. */
  clear(): void {
    this.nextOffsets.fill(0);
    this.latestClockMs = 0;
  }

  toToken(): SessionToken {
    const positions: SessionPosition[] = [];
    this.nextOffsets.forEach((nextOffset, partition) => {
      if (nextOffset > 0) positions.push({ partition: asPartition(partition), nextOffset: asOffset(nextOffset) });
    });
    return { ...this.scope, clockMs: this.latestClockMs, positions };
  }

  /** See {@link encodeSessionToken}. */
  encode(): string {
    return encodeSessionToken(this.toToken());
  }
}
