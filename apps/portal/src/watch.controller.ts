import { Controller, Get, Param, Query, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Portal, Shares, watchLimits, type WatchReader } from '@levee/portal';
import { header, wholeNumber } from './request-choices';

export const routeWatchLimits = { watchersMax: watchLimits.watchersMax, watchersOfOneMax: 256 } as const;

/** Changes as they come. */
@ApiTags('cluster')
@Controller('v1/watch')
export class WatchController {
  private readonly places = new Shares('watches of routes are open', {
    max: routeWatchLimits.watchersMax,
    ofOneMax: routeWatchLimits.watchersOfOneMax,
  });

  constructor(private readonly portal: Portal) {}

  @Get(':namespace')
  @ApiOperation({
    summary:
      'Route and node-address changes as server-sent events: metaChange, whose id is the version; last of all deleted, ' +
      'slow or stopping',
  })
  @ApiHeader({ name: 'Last-Event-ID', required: false, description: 'the id of the last event that was received' })
  @ApiQuery({ name: 'version', required: false, description: 'the same, for who cannot send the header' })
  @ApiResponse({ status: 200, content: { 'text/event-stream': {} } })
  @ApiResponse({ status: 409, description: 'LVVERSION: the version is above the newest one' })
  async watch(
    @Param('namespace') name: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Query('version') version?: string,
  ): Promise<void> {
    const lastId = header(request, 'last-event-id');
    const range = { min: 0, max: Number.MAX_SAFE_INTEGER };
    const known = lastId ? wholeNumber(lastId, 'Last-Event-ID', range) : wholeNumber(version, 'version', range);
    const { raw } = reply;
    const giveBack = this.places.take(request.ip);
    raw.once('close', giveBack);
    if (raw.destroyed) giveBack();
    const begin = await this.portal.watches.open(name, known);
    if (request.method === 'HEAD') return void (await reply.status(200).headers(streamHeaders).send());
    const leave = begin(readerOf(raw));
    reply.hijack();
    raw.once('close', leave);
    if (raw.destroyed) leave();
  }
}

const streamHeaders = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
} as const;

function readerOf(raw: FastifyReply['raw']): WatchReader {
  raw.on('error', () => raw.destroy());
  return {
    write(bytes) {
      if (!raw.headersSent) raw.writeHead(200, streamHeaders);
      return raw.destroyed || raw.write(bytes);
    },
    onDrain: (drained) => void raw.on('drain', drained),
    end: () => void raw.end(),
    destroy: () => void raw.destroy(),
  };
}
