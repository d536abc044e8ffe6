import { KafkaProcess, type KafkaWishes } from '../../libs/log-kafka/test/kafka-process';
import { FaultyPath } from '../faults/faulty-path';
import type { Tap } from '../faults/tcp-proxy';
import { ClusterProcess } from './cluster-process';

export interface CuttableOptions {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly kafkaNodes: 1 | 3;
  readonly kafkaSettings?: Readonly<Record<string, string>>;
  readonly kafkaWishes?: KafkaWishes;
  /** Data nodes whose RESP door portals reach through a proxy: `n1` to `n<nodes>`. */
  readonly nodes: number;
  /** Processes that reach Kafka through proxies of their own. */
  readonly behind: readonly string[];
  /** Looks at what passes between one of `behind` and Kafka. */
  readonly tapOf?: (name: string) => (() => Tap) | undefined;
}

/** A cluster with a proxy on every way that a test wants to cut, put in between by advertised addresses. */
export class CuttableCluster {
  private constructor(
    readonly cluster: ClusterProcess,
    readonly kafka: KafkaProcess,
    private readonly brokerPaths: ReadonlyMap<string, FaultyPath>,
    private readonly doors: ReadonlyMap<string, FaultyPath>,
  ) {}

  static async start(options: CuttableOptions): Promise<CuttableCluster> {
    const { args, env, kafkaNodes, kafkaSettings = {}, kafkaWishes = {}, nodes, behind, tapOf } = options;
    const kafka = new Map<string, FaultyPath>();
    const doors = new Map<string, FaultyPath>();
    const own: string[] = [];
    const told: Array<[string, readonly string[]]> = [];
    for (const name of behind) {
      const path = await FaultyPath.of(kafkaNodes, tapOf?.(name));
      kafka.set(name, path);
      told.push([name, path.addresses]);
      own.push('--env', `${name}:KAFKA_BROKERS=${path.addresses.join(',')}`);
    }
    for (let i = 1; i <= nodes; i++) {
      const path = await FaultyPath.of(1);
      doors.set(`n${i}`, path);
      own.push('--env', `n${i}:LEVEE_NODE_ADVERTISED_RESP_PORT=${path.ports[0]}`);
    }
    let broker: KafkaProcess | undefined;
    try {
      broker = await KafkaProcess.start(kafkaNodes, kafkaSettings, Object.fromEntries(told), kafkaWishes);
      for (const [name, path] of kafka) path.leadTo(broker.portsBehind[name] as readonly number[]);
      const cluster = await ClusterProcess.start(
        ['--brokers', broker.brokers.join(','), '--nodes', `${nodes}`, ...own, ...args],
        env,
        180_000,
      );
      for (const { name, resp } of cluster.doors.nodes) doors.get(name)?.leadTo([Number(resp.split(':').pop())]);
      return new CuttableCluster(cluster, broker, kafka, doors);
    } catch (error) {
      for (const path of [...kafka.values(), ...doors.values()]) await path.close();
      await broker?.stop();
      throw error;
    }
  }

  /** Between this process and all brokers. */
  kafkaOf(name: string): FaultyPath {
    return found(this.brokerPaths, name);
  }

  /** Between all portals and this node. */
  doorOf(nodeId: string): FaultyPath {
    return found(this.doors, nodeId);
  }

  async end(): Promise<string> {
    const said = await this.cluster.end();
    for (const path of [...this.brokerPaths.values(), ...this.doors.values()]) await path.close();
    await this.kafka.stop();
    return said;
  }
}

function found(paths: ReadonlyMap<string, FaultyPath>, name: string): FaultyPath {
  const path = paths.get(name);
  if (path === undefined) throw new Error(`no proxy stands before ${name}`);
  return path;
}
