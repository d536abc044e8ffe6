import type { NodeState } from '@levee/events';
import type { LivenessEvidence, LivenessReport } from '../commands/nodes/liveness-evidence';
import { checkLivenessLimits, type LivenessLimits } from './liveness-limits';
import { isStorm } from './storm';

export type WatchedNode = Pick<NodeState, 'nodeId' | 'incarnation' | 'state'>;

/** A command that the master should give itself, with what it rests on. */
export interface LivenessFinding {
  readonly kind: 'SuspectNode' | 'LoseNode' | 'ReviveNode';
  readonly payload: LivenessEvidence & { readonly nodeId: string; readonly incarnation: string };
}

export interface Findings {
  readonly findings: readonly LivenessFinding[];
  /** Nodes silent at once, when they are too many to give any of them up. */
  readonly storm: { readonly silent: readonly string[]; readonly watched: number } | undefined;
}

interface Track {
  readonly incarnation: string;
  silentMs: number;
  /** Monotonic; -Infinity before the first. */
  heardAtMs: number;
  /** Heartbeats since the last silence worth the name. */
  beats: number;
  /** In maintenance when last looked at. */
  excused: boolean;
  readonly reports: Map<string, { readonly code: string; readonly count: number; readonly atMs: number }>;
}

const reportsMax = 32;

/**
 * Tells from heartbeats which nodes are there. Silence is credited only between two heartbeats of the observer itself
 * that it read at the end of the topic, close to each other: the log that carried them would have carried the node's
 * too. An observer that was paused, is cut off, or catches up has heard no silence. Pure: every `nowMs` is an argument,
 * milliseconds of one monotonic clock. One process watches at a time; after a takeover the count begins anew.
 */
export class Liveness {
  private readonly tracks = new Map<string, Track>();
  private selfHeard = false;
  private creditedAtMs: number | undefined;

  constructor(
    private readonly observer: string,
    private readonly limits: LivenessLimits,
  ) {
    checkLivenessLimits(limits);
  }

  /** A heartbeat of this very process was read. */
  heardSelf(): void {
    this.selfHeard = true;
  }

  /** A heartbeat of a node was read; of a run that is not the registered one it says nothing. */
  heard(node: { readonly nodeId: string; readonly incarnation: string }, nowMs: number): void {
    const track = this.tracks.get(node.nodeId);
    if (track?.incarnation !== node.incarnation) return;
    track.silentMs = 0;
    track.heardAtMs = nowMs;
    track.beats++;
  }

  /** `by` saw `count` errors towards a node since its last heartbeat. */
  reported(
    by: string,
    error: { readonly nodeId: string; readonly code: string; readonly count: number },
    nowMs: number,
  ): void {
    const reports = this.tracks.get(error.nodeId)?.reports;
    if (reports === undefined || error.count < 1 || by === '') return;
    if (reports.size >= reportsMax && !reports.has(by)) return;
    reports.set(by, { code: error.code, count: error.count, atMs: nowMs });
  }

  /** Everything up to the end of the heartbeats has been read. */
  atEnd(nowMs: number): void {
    if (!this.selfHeard) return;
    this.selfHeard = false;
    const sinceMs = this.creditedAtMs;
    this.creditedAtMs = nowMs;
    if (sinceMs === undefined || nowMs - sinceMs > this.limits.gapMsMax) return;
    for (const track of this.tracks.values()) {
      track.silentMs += Math.max(0, nowMs - Math.max(sinceMs, track.heardAtMs));
      if (track.silentMs >= this.limits.heartbeatMs * 2) track.beats = 0;
    }
  }

  /** The heartbeats could not be read for a while: nothing is known about that time. */
  interrupted(): void {
    this.selfHeard = false;
    this.creditedAtMs = undefined;
  }

  /** What follows for these nodes, all that the state knows. What it says is said again until the state has changed. */
  findings(nodes: Iterable<WatchedNode>, nowMs: number): Findings {
    const known = new Set<string>();
    const watched: { node: WatchedNode; track: Track }[] = [];
    for (const node of nodes) {
      known.add(node.nodeId);
      const track = this.trackOf(node);
      // What was away for maintenance begins anew when that ends.
      const excused = node.state === 'maintenance';
      if (track.excused && !excused) track.silentMs = 0;
      track.excused = excused;
      if (!excused) watched.push({ node, track });
    }
    for (const nodeId of this.tracks.keys()) if (!known.has(nodeId)) this.tracks.delete(nodeId);
    const counted = watched.filter(({ node }) => node.state !== 'lost');
    const silent = counted.filter(({ node, track }) => node.state === 'suspect' || this.isSilent(track, nowMs));
    const storm = isStorm({ silent: silent.length, watched: counted.length });
    return {
      findings: watched.flatMap(({ node, track }) => {
        const kind = this.verdictOn(node, track, { storm, nowMs });
        return kind === undefined ? [] : [{ kind, payload: this.evidence(node, track, nowMs) }];
      }),
      storm: storm ? { silent: silent.map(({ node }) => node.nodeId), watched: counted.length } : undefined,
    };
  }

  private verdictOn(
    node: WatchedNode,
    track: Track,
    { storm, nowMs }: { storm: boolean; nowMs: number },
  ): LivenessFinding['kind'] | undefined {
    if (node.state === 'up') return this.isSilent(track, nowMs) ? 'SuspectNode' : undefined;
    if (track.beats >= this.limits.beatsToRevive) return 'ReviveNode';
    const isLost = node.state === 'suspect' && track.silentMs >= this.limits.lostAfterMs && !storm;
    return isLost ? 'LoseNode' : undefined;
  }

  private isSilent(track: Track, nowMs: number): boolean {
    const { suspectAfterMs, reportedSuspectAfterMs, reportersMin } = this.limits;
    if (track.silentMs >= suspectAfterMs) return true;
    return track.silentMs >= reportedSuspectAfterMs && this.freshReports(track, nowMs).length >= reportersMin;
  }

  private freshReports(track: Track, nowMs: number): LivenessReport[] {
    const fresh: LivenessReport[] = [];
    for (const [by, { code, count, atMs }] of track.reports)
      if (nowMs - atMs <= this.limits.reportWindowMs) fresh.push({ by, code, count, agoMs: Math.floor(nowMs - atMs) });
      else track.reports.delete(by);
    return fresh;
  }

  private evidence(node: WatchedNode, track: Track, nowMs: number): LivenessFinding['payload'] {
    return {
      nodeId: node.nodeId,
      incarnation: node.incarnation,
      silentMs: Math.floor(track.silentMs),
      observers: [this.observer],
      reports: this.freshReports(track, nowMs),
    };
  }

  /** A new run of a node, or a node not seen before, begins as heard: registering was its sign of life. */
  private trackOf({ nodeId, incarnation }: WatchedNode): Track {
    let track = this.tracks.get(nodeId);
    if (track?.incarnation !== incarnation)
      this.tracks.set(
        nodeId,
        (track = { incarnation, silentMs: 0, heardAtMs: -Infinity, beats: 0, excused: false, reports: new Map() }),
      );
    return track;
  }
}
