import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiQuery, ApiTags } from '@nestjs/swagger';
import { KeyValue } from '@levee/client';
import { Proofs } from '@levee/portal';

/** Whether replicas hold what the log says. */
@ApiTags('audit')
@Controller('v1/proofs')
export class ProofsController {
  constructor(
    private readonly proofs: Proofs,
    private readonly keyValue: KeyValue,
  ) {}

  @Get()
  @ApiOperation({ summary: 'When each chunk was last compared with its log, and what came of it' })
  @ApiQuery({ name: 'namespace', required: false, description: 'only its chunks' })
  list(@Query('namespace') namespace?: string) {
    if (namespace === undefined || namespace === '') return { chunks: this.proofs.list(undefined) };
    return { chunks: this.proofs.list(this.keyValue.namespace(namespace).state.name) };
  }
}
