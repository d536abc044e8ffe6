export interface LocalKafkaOptions {
  readonly nodes?: 1 | 3;
  readonly dir?: string;
  readonly keep?: boolean;
  /** Address that clients reach it by; default 127.0.0.1. */
  readonly host?: string;
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  readonly heapMb?: number;
  readonly c2?: boolean;
  readonly jvmOptions?: readonly string[];
  readonly advertised?: Readonly<Record<number, string>>;
  readonly behind?: Readonly<Record<string, readonly string[]>>;
  readonly between?: Readonly<Record<'brokers' | 'controllers', readonly string[]>>;
  readonly prepared?: (ports: Readonly<Record<'brokers' | 'controllers', readonly number[]>>) => void;
  readonly apart?: boolean;
  readonly secure?: {
    readonly users?: Readonly<Record<string, string>>;
    readonly clientCertificates?: boolean;
  };
  readonly detached?: boolean;
  readonly env?: NodeJS.ProcessEnv;
  readonly startDeadlineMs?: number;
}

export interface LocalKafka {
  /** `host:port,...` as KAFKA_BROKERS takes it. */
  readonly brokers: string;
  readonly dir: string;
  readonly certificates?: { readonly ca: string; readonly cert?: string; readonly key?: string };
  readonly ports: readonly number[];
  readonly portsBehind: Readonly<Record<string, readonly number[]>>;
  readonly pids: readonly (number | undefined)[];
  kill(nodeId: number): Promise<void>;
  restart(nodeId: number, deadlineMs?: number): Promise<void>;
  pause(nodeId: number): void;
  resume(nodeId: number): void;
  stop(options?: { clean?: boolean }): Promise<void>;
}

export function startKafka(options?: LocalKafkaOptions): Promise<LocalKafka>;
