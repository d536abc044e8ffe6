import type { ClusterShape, SimulatedCluster } from './simulated-cluster';

/** What a process is to a scenario: the same word in every run, whatever its name. */
export type Role = 'source' | 'target' | 'source and target' | 'master' | 'standby' | 'dispatcher' | 'portal' | 'node';

/** Something that a cluster goes through, with load, while one thing befalls it. */
export interface Scenario {
  readonly name: string;
  readonly shape?: Partial<ClusterShape>;
  /** Of every value that is there before it begins. */
  readonly valueBytes?: number;
  /** Sets it going, once everything is ready and under load. */
  begin(cluster: SimulatedCluster): Promise<void>;
  /** Where it stands, in a word or two. */
  phase(cluster: SimulatedCluster): string;
  /** True when it has finished, or has gone cleanly back. */
  over(cluster: SimulatedCluster): boolean;
  /** Processes that something may befall, by what they are now. */
  roles(cluster: SimulatedCluster): ReadonlyMap<string, Role>;
  /** What is not as it must be afterwards. */
  judge?(cluster: SimulatedCluster): string[];
}
