import { Logger } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import type { Change, Client } from '@levee/sdk';
import { begun } from './beginnings';
import { ChangeRunner } from './change-runner';
import { keyChangeMetadata, type WatchedMethod } from './on-key-change';

/** Runs the methods of the application that `@OnKeyChange` marks for one connection. */
export class ChangeHandlers {
  private readonly runners: ChangeRunner[] = [];
  private readonly logger = new Logger('Levee');

  constructor(
    private readonly client: Client,
    private readonly connection: string,
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  /** The application has started once everything that is written from then on is handled. */
  async onApplicationBootstrap(): Promise<void> {
    const names = new Set<string>();
    for (const { instance, metatype } of [...this.discovery.getProviders(), ...this.discovery.getControllers()]) {
      if (instance === null || typeof instance !== 'object') continue;
      const prototype = Object.getPrototypeOf(instance) as object | null;
      if (prototype === null) continue;
      for (const method of this.scanner.getAllMethodNames(prototype)) {
        const handler = handlerOf(prototype, method);
        if (handler?.connection !== this.connection) continue;
        const name = handler.name ?? `${metatype?.name ?? prototype.constructor.name}.${method}`;
        if (names.has(`${handler.state} ${name}`))
          throw new Error(`two methods with @OnKeyChange are called '${name}': give one of them another name`);
        names.add(`${handler.state} ${name}`);
        this.runners.push(this.runnerOf(handler, name, instance as Methods, method));
      }
    }
    await begun(this.runners, this.logger);
  }

  /** Before connections are closed, and after HTTP has taken its last request. */
  async beforeApplicationShutdown(): Promise<void> {
    const ends = await Promise.allSettled(this.runners.map((runner) => runner.stop()));
    for (const end of ends)
      if (end.status === 'rejected')
        this.logger.warn(`a position could not be kept, and changes behind the last one come again: ${end.reason}`);
  }

  private runnerOf(handler: WatchedMethod, name: string, instance: Methods, method: string): ChangeRunner {
    const { namespace, codec, prefix, key, from, concurrency, attempts, state } = handler;
    const bytes = this.client.namespace(namespace);
    return new ChangeRunner({
      ...{ name, prefix, key, from, concurrency, attempts, logger: this.logger },
      store: codec ? bytes.typed(codec) : bytes,
      state: this.client.namespace(state),
      handle: (change) => instance[method]?.(change),
    });
  }
}

type Methods = Readonly<Record<string, (change: Change<unknown>) => unknown>>;

function handlerOf(prototype: object, method: string): WatchedMethod | undefined {
  const found: unknown = (prototype as Readonly<Record<string, unknown>>)[method];
  if (typeof found !== 'function') return undefined;
  return Reflect.getMetadata(keyChangeMetadata, found) as WatchedMethod | undefined;
}
