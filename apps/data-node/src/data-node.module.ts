import { Module, type DynamicModule, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { ReaderThread } from '@levee/chunk-store';
import { DataNode } from '@levee/data-node';
import { type ApplyBudget } from '@levee/follow';
import { controlTopics, type OutsideWitness } from '@levee/journal';
import { addressText, Failure, failureCode, messageOf, type Logger } from '@levee/kernel';
import { systemClock, systemTimers, type Log } from '@levee/log';
import { HealthRegistry, Metrics, ServiceModule, startHttpApp, type HttpApp } from '@levee/service-kit';
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
}

/** Composition root of a data node. */
@Module({})
export class DataNodeModule implements OnModuleInit, OnModuleDestroy {
  constructor(private readonly node: DataNode) {}

  /** Opens the disk, both doors, and joins the cluster in the background. */
  static async start(parts: DataNodeParts): Promise<HttpApp & { readonly node: DataNode }> {
    const { config, logger } = parts;
    const http = await startHttpApp({
      module: DataNodeModule.register(parts),
      host: config.host,
      port: config.httpPort,
      portSetting: 'LEVEE_NODE_HTTP_PORT',
      logger,
    });
    const node = http.app.get(DataNode);
    node.announce(addressText({ host: config.advertisedHost, port: http.port }));
    return { ...http, node };
  }

  static register(parts: DataNodeParts): DynamicModule {
    const { config, log, logger, readerThread, applies } = parts;
    const { topicPrefix, httpPort: _httpPort, ...own } = config;
    const world = { log, logger, clock: systemClock, timers: systemTimers, readerThread, applies };
    const node = new DataNode({ ...own, topics: controlTopics(topicPrefix) }, world);
    node.view.know(parts.known ?? []);
    const health = new HealthRegistry();
    health.add('node', () => node.readyProblem());
    const metrics = new Metrics({ part: 'data-node', node: config.nodeId });
    metrics.gaugesFrom('node', () => node.stats());
    return {
      module: DataNodeModule,
      imports: [ServiceModule.register({ health, metrics })],
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
