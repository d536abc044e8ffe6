import { Controller, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { FlushSweep, KeyValue, StoreFailure } from '@levee/client';
import { Portal } from '@levee/portal';
import { principalOf } from '@levee/service-kit';
import { sendJsonLines } from './json-lines';
import { confirmName } from './request-choices';

const toldEveryMs = 500;

/** Deletes all keys of a namespace, which stays. */
@ApiTags('keys')
@Controller('v1/namespaces')
export class FlushController {
  constructor(
    private readonly portal: Portal,
    private readonly keyValue: KeyValue,
  ) {}

  @Post(':name/flush')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Deletes every key of a namespace that allows it; one JSON object a line, a failure is the last',
  })
  @ApiQuery({ name: 'confirm', required: false, description: 'the name once more; or header Levee-Confirm' })
  @ApiHeader({ name: 'Levee-Confirm', required: false, description: 'the name once more' })
  @ApiResponse({ status: 200, content: { 'application/x-ndjson': {} } })
  @ApiResponse({ status: 501, description: 'LVUNSUPPORTED: its setting flush is refuse' })
  async flush(
    @Param('name') name: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Query('confirm') confirm?: string,
  ): Promise<void> {
    confirmName(name, request, confirm);
    const namespace = this.keyValue.namespace(name);
    const principal = principalOf(request);
    await sendJsonLines(reply, (signal) => {
      const isOver = (): string | undefined => {
        if (signal.aborted) return 'the client has gone';
        return principal.may('admin', name) ? undefined : 'the right admin was taken away';
      };
      return this.told(new FlushSweep(this.portal.store, namespace, { isOver }));
    });
  }

  private async *told(sweep: FlushSweep): AsyncGenerator<object> {
    const { store } = this.portal;
    let toldAtMs = store.monotonicMs();
    let begun = false;
    try {
      for await (const deleted of sweep.run()) {
        if (store.monotonicMs() - toldAtMs < toldEveryMs) continue;
        toldAtMs = store.monotonicMs();
        begun = true;
        yield { event: 'progress', deleted, message: `${deleted} keys are deleted` };
      }
    } catch (error) {
      // With a line before it the status is sent already.
      if (!begun || !(error instanceof StoreFailure)) throw error;
      const { code, message, details } = error;
      return yield { code, message, details };
    }
    const { deleted } = sweep;
    yield { event: 'done', deleted, message: `${deleted} keys are deleted: all that were there when it began` };
  }
}
