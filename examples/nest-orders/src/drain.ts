import type { OnModuleDestroy, OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyAdapter } from '@nestjs/platform-fastify';

/**
 * A connection that is kept alive goes on bringing requests to a process that is about to end. From SIGTERM on every answer
 * asks for it to be closed, and the next request comes by a new connection, to another process.
 */
export class Drain implements OnModuleInit, OnModuleDestroy {
  private isDraining = false;

  constructor(
    private readonly host: HttpAdapterHost<FastifyAdapter>,
    private readonly lastRequestsMs: number,
  ) {}

  onModuleInit(): void {
    const http = this.host.httpAdapter.getInstance();
    http.addHook('onSend', async (_request, reply) => {
      if (this.isDraining) void reply.header('connection', 'close');
    });
    // It listens no more, and waits for what is under way: also for somebody who connected and says nothing.
    http.addHook('preClose', async () => {
      setTimeout(() => http.server.closeAllConnections(), this.lastRequestsMs).unref();
    });
  }

  onModuleDestroy(): void {
    this.isDraining = true;
  }
}
