import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { Freezes } from '@levee/portal';
import { CommandDoor, jsonBody, principalOf } from '@levee/service-kit';
import { endedPortals, endedProperty } from './ended-portals';

/** Freezes of a namespace's writes. */
@ApiTags('cluster')
@Controller('v1/namespaces')
export class FreezesController {
  constructor(
    private readonly freezes: Freezes,
    private readonly commands: CommandDoor,
  ) {}

  @Post(':name/freeze')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Freezes the writes of a namespace: portals refuse them as LVFROZEN. GET says when that is certain',
  })
  @ApiBody({
    schema: {
      type: 'object',
      required: ['reason'],
      properties: {
        reason: { type: 'string' },
        ended: endedProperty,
      },
    },
  })
  @ApiResponse({ status: 200, description: 'the freeze' })
  @ApiResponse({ status: 409, description: 'NAMESPACE_FROZEN: by somebody else' })
  async freeze(@Param('name') name: string, @Body() body: unknown, @Req() request: FastifyRequest) {
    const { ended, ...fields } = jsonBody(body);
    const without = await this.freezes.endedOf(endedPortals({ ended }));
    const payload = { ...fields, name, ...(without.length === 0 ? {} : { without }) };
    await this.commands.run({ kind: 'FreezeNamespace', payload, principal: principalOf(request).name });
    return this.freezes.report(name);
  }

  @Delete(':name/freeze')
  @ApiOperation({ summary: 'Thaws the writes of a namespace' })
  @ApiQuery({ name: 'owner', required: false, description: 'of a freeze that an operation owns: its name' })
  async thaw(@Param('name') name: string, @Req() request: FastifyRequest, @Query('owner') owner?: string) {
    const payload = { name, ...(owner === undefined ? {} : { owner }) };
    await this.commands.run({ kind: 'ThawNamespace', payload, principal: principalOf(request).name });
    return this.freezes.report(name);
  }

  @Get(':name/freeze')
  @ApiOperation({ summary: 'Whether the writes of a namespace are frozen, whether that is certain, who is waited for' })
  progress(@Param('name') name: string) {
    return this.freezes.report(name);
  }
}
