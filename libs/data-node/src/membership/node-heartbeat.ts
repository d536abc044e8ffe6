import { featureLevel, type Heartbeat } from '@levee/events';
import type { Clock } from '@levee/kernel';
import type { MoveReports } from '../copy/move-reports';
import { nodeLimits } from '../node-limits';
import type { ReplicaHost } from '../replica/replica-host';
import { loadOf } from '../replica/replica-load';
import { positionsOf } from './heartbeat-positions';

/** Who beats, and what it hosts by now. */
export interface BeatingNode {
  readonly nodeId: string;
  readonly incarnation: string;
  readonly respAddress: string;
  readonly host: ReplicaHost | undefined;
  readonly moves: MoveReports | undefined;
  /** -1 = unknown. */
  readonly freeDiskBytes: number;
}

/** The heartbeats of a node, one after another: positions and loads travel with every n-th one only. */
export class NodeHeartbeats {
  private beats = 0;

  constructor(private readonly clock: Clock) {}

  next({ nodeId, incarnation, respAddress, host, moves, freeDiskBytes }: BeatingNode): Heartbeat {
    const withPositions = this.beats++ % nodeLimits.positionsEveryHeartbeats === 0 && host !== undefined;
    return {
      kind: 'node',
      id: nodeId,
      incarnation,
      address: respAddress,
      sentAtMs: this.clock.nowMs(),
      featureLevel,
      positions: withPositions ? positionsOf(host, this.clock) : [],
      loads: withPositions ? [...host.all].map(loadOf) : [],
      moves: moves?.moves() ?? [],
      freeDiskBytes,
      errors: [],
    };
  }
}
