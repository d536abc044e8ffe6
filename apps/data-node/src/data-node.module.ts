import { Module, type DynamicModule, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { ReaderThread, WriteTurns } from '@levee/chunk-store';
import { DataNode } from '@levee/data-node';
import { type ApplyBudget } from '@levee/follow';
import { controlTopics, type OutsideWitness } from '@levee/journal';
import { addressText, Failure, failureCode, messageOf, type Logger } from '@levee/kernel';
import { systemClock, systemTimers, type Log } from '@levee/log';
import {
  commonRoutes,
  DoorAccess,
  HealthRegistry,
  Metrics,
  ServiceModule,
  startHttpApp,
  tlsNetwork,
  type HttpApp,
  type RouteTable,
  type Security,
} from '@levee/service-kit';
import type { DataNodeAppConfig } from './config';
import { NodeController } from './node.controller';

export interface DataNodeParts {
  readonly config: DataNodeAppConfig;
  /** Belongs to the caller, who closes it after the app. */
  readonly log: Log;
  readonly logger: Logger;
  /** What disks have kept of the journal; see `ClusterView.know`. */
  readonly known?: readonly OutsideWitness[];
  /** As the log, and one for all nodes of a process; without it their event loop reads for copies and digests. */
  readonly readerThread?: ReaderThread;
  /** One for all nodes of a process; each has its own by default. */
  readonly applies?: ApplyBudget;
  /** The same. */
  readonly writeTurns?: WriteTurns;
  readonly security?: Security;
}

/** What each path asks of who calls it. */
const routes: RouteTable = { ...commonRoutes, 'GET /v1/node': 'operate' };

/** Composition root of a data node. */
@Module({})
export class DataNodeModule implements OnModuleInit, OnModuleDestroy {
  constructor(private readonly node: DataNode) {}

  /** Opens the disk, both doors, and joins the cluster in the background. */
  static async start(parts: DataNodeParts): Promise<HttpApp & { readonly node: DataNode }> {
    const { config, logger } = parts;
    const access = new DoorAccess(routes, parts.security);
    const http = await startHttpApp({
      module: DataNodeModule.register({ ...parts, access }),
      access,
      tls: parts.security?.tls,
      host: config.host,
      port: config.httpPort,
      portSetting: 'LEVEE_NODE_HTTP_PORT',
      names: config.httpNames,
      logger,
    });
    const metrics = http.app.get(Metrics);
    metrics.numbersFrom('http', () => http.stats());
    metrics.histogramsFrom('levee_request_duration_seconds', () => http.times.all());
    const node = http.app.get(DataNode);
    node.announce(addressText({ host: config.advertisedHost, port: http.port }));
    return { ...http, node };
  }

  static register(parts: DataNodeParts & { readonly access: DoorAccess }): DynamicModule {
    const { config, log, logger, readerThread, applies, writeTurns, security, access } = parts;
    const { topicPrefix, httpPort: _httpPort, ...own } = config;
    const network = tlsNetwork(security, logger);
    const world = {
      log,
      logger,
      clock: systemClock,
      timers: systemTimers,
      readerThread,
      applies,
      writeTurns,
      clusterKey: security?.clusterKey,
      clusterName: security?.tls?.plan.clusterName,
      jwts: security?.jwts,
      ...(network && { network }),
    };
    const { authenticates, usersBelievedMs } = security ?? {};
    const node = new DataNode({ ...own, topics: controlTopics(topicPrefix), authenticates, usersBelievedMs }, world);
    node.view.know(parts.known ?? []);
    access.shares(node.authenticator);
    const health = new HealthRegistry();
    health.add('node', () => node.readyProblem());
    const metrics = new Metrics({ part: 'data-node', node: config.nodeId });
    metrics.numbersFrom('node', () => node.stats());
    metrics.histogramsFrom('levee_node_apply_duration_seconds', () => {
      const histogram = node.applyTimes;
      return histogram ? [{ labels: {}, histogram }] : [];
    });
    if (network) metrics.numbersFrom('resp_tls', () => network.stats());
    return {
      module: DataNodeModule,
      imports: [ServiceModule.register({ health, metrics, security })],
      controllers: [NodeController],
      providers: [{ provide: DataNode, useValue: node }],
      exports: [DataNode],
    };
  }

  async onModuleInit(): Promise<void> {
    await this.node.start().catch(diskInUse);
  }

  async onModuleDestroy(): Promise<void> {
    await this.node.close();
  }
}

/** The disk does not know by which settings it was chosen. */
function diskInUse(error: unknown): never {
  if (failureCode(error) !== 'DISK_IN_USE') throw error;
  const mend = 'stop that process, or give this one a LEVEE_NODE_ID or LEVEE_DATA_DIR of its own';
  throw new Failure('DISK_IN_USE', `${messageOf(error)}: ${mend}`, { cause: error });
}
