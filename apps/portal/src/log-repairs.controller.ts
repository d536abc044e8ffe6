import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Failure } from '@levee/kernel';
import { LogRepairs } from '@levee/portal';
import { jsonBody } from '@levee/service-kit';
import { sendJsonLines } from './json-lines';

const order = {
  type: 'object' as const,
  required: ['namespace'],
  properties: {
    namespace: { type: 'string' },
    partition: { type: 'integer', description: 'only this one' },
    yes: { type: 'boolean', description: 'without it nothing is changed' },
  },
};

/** What people decide about a log that lost what replicas hold. */
@ApiTags('log')
@Controller('v1/log')
export class LogRepairsController {
  constructor(private readonly repairs: LogRepairs) {}

  @Post('repair')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Brings back what a log lost and witnesses hold; one JSON object a line, a failure is the last',
  })
  @ApiBody({
    schema: {
      ...order,
      properties: {
        ...order.properties,
        producersStopped: { type: 'boolean', description: 'every producer is stopped, whatever portals say' },
        without: {
          type: 'array',
          items: { type: 'string' },
          description: 'nodes whose replicas are left out of account',
        },
      },
    },
  })
  async repair(@Body() body: unknown, @Res() reply: FastifyReply): Promise<void> {
    const fields = jsonBody(body);
    const producersStopped = flag(fields, 'producersStopped');
    const without = fields['without'] ?? [];
    if (!Array.isArray(without) || without.some((each) => typeof each !== 'string'))
      throw new Failure('BAD_REQUEST', 'without is a list of node names');
    await sendJsonLines(reply, (signal) =>
      this.repairs.repair({ ...orderIn(fields), producersStopped, without: without as string[] }, signal),
    );
  }

  @Post('accept-loss')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Lets go what a log lost: its witnesses are built anew; one JSON object a line, a failure is the last',
  })
  @ApiBody({ schema: order })
  async acceptLoss(@Body() body: unknown, @Res() reply: FastifyReply): Promise<void> {
    const fields = jsonBody(body);
    await sendJsonLines(reply, (signal) => this.repairs.acceptLoss(orderIn(fields), signal));
  }
}

function orderIn(fields: Readonly<Record<string, unknown>>) {
  const { namespace, partition } = fields;
  if (typeof namespace !== 'string' || namespace === '') throw new Failure('BAD_REQUEST', 'name a namespace');
  if (partition !== undefined && (typeof partition !== 'number' || !Number.isSafeInteger(partition) || partition < 0))
    throw new Failure('BAD_REQUEST', 'partition is a whole number from 0');
  return { namespace, partition, yes: flag(fields, 'yes') };
}

function flag(fields: Readonly<Record<string, unknown>>, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value === 'boolean') return value;
  throw new Failure('BAD_REQUEST', `${name} is true or false`);
}
