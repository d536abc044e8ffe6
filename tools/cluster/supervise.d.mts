import type { LocalKafkaOptions } from '../kafka/local-kafka.mjs';

export interface ClusterOptions {
  readonly masters?: number;
  readonly dispatchers?: number;
  readonly nodes?: number;
  readonly portals?: number;
  readonly kafkaNodes?: 1 | 3;
  readonly brokers?: string;
  readonly dir?: string;
  readonly anyPorts?: boolean;
  readonly restart?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly envOf?: (name: string) => Readonly<Record<string, string>> | undefined;
  readonly namespace?: false | Readonly<Record<string, string | number>>;
  readonly kafka?: LocalKafkaOptions;
  readonly apps?: string;
  readonly nodeArguments?: readonly string[];
  readonly startDeadlineMs?: number;
  readonly onExit?: (name: string, how: number | string | null) => void;
}

export interface MasterDoors {
  readonly name: string;
  /** Undefined while it is down. */
  readonly pid?: number;
  readonly http: string;
  readonly dir: string;
  readonly log: string;
}

export interface MemberDoors extends MasterDoors {
  readonly resp: string;
}

export interface ClusterDoors {
  readonly pid: number;
  readonly dir: string;
  readonly prefix: string;
  readonly portals: readonly MemberDoors[];
  readonly nodes: readonly MemberDoors[];
  readonly masters: readonly MasterDoors[];
  readonly dispatchers: readonly MasterDoors[];
  readonly kafka: { readonly brokers: string; readonly pids: readonly (number | undefined)[]; readonly dir?: string };
}

export interface Cluster extends ClusterDoors {
  describe(): ClusterDoors;
  kill(name: string, signal?: NodeJS.Signals): Promise<void>;
  pause(name: string): void;
  resume(name: string): void;
  stopOne(name: string): Promise<number | string | undefined>;
  restart(name: string, options?: { deadlineMs?: number; ready?: boolean }): Promise<void>;
  stop(options?: { clean?: boolean }): Promise<Record<string, number | string | undefined>>;
}

export function startCluster(options?: ClusterOptions): Promise<Cluster>;
