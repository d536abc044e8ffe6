import { Body, Controller, HttpCode, Param, Post, Req } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { findingReasons } from '@levee/cluster';
import { Failure } from '@levee/kernel';
import { type AcknowledgementRequest, Acknowledgements } from '@levee/portal';
import { jsonBody, principalOf } from '@levee/service-kit';

const position = {
  type: 'object' as const,
  required: ['partition', 'offset'],
  properties: { partition: { type: 'integer' }, offset: { type: 'integer' } },
};

/** Bad records that are dealt with. */
@ApiTags('cluster')
@Controller('v1/namespaces')
export class AcknowledgementsController {
  constructor(private readonly acknowledgements: Acknowledgements) {}

  @Post(':name/acknowledgements')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Bad records of a binlog are dealt with, up to positions, and are no finding of the doctor any more',
  })
  @ApiBody({
    schema: {
      type: 'object',
      required: ['why'],
      properties: {
        why: { type: 'string', description: 'what was done about them' },
        upTo: { type: 'array', items: position, description: 'the last record of a partition that is dealt with' },
        all: { type: 'boolean', description: 'instead of upTo: all that is written now' },
        reason: { type: 'string', enum: [...findingReasons], description: 'only records of that reason' },
        by: { type: 'string', description: 'who dealt with them, if not who asks' },
      },
    },
  })
  @ApiResponse({ status: 200, description: 'what is acknowledged' })
  @ApiResponse({ status: 400, description: 'BAD_REQUEST: a position behind the end of the log, among others' })
  acknowledge(@Param('name') name: string, @Body() body: unknown, @Req() request: FastifyRequest) {
    const asked = requestIn(jsonBody(body));
    return this.acknowledgements.acknowledge({ ...asked, name, principal: principalOf(request).name });
  }
}

function requestIn(fields: Readonly<Record<string, unknown>>): Omit<AcknowledgementRequest, 'name' | 'principal'> {
  const { all = false, upTo, reason, by, why, ...others } = fields;
  const [other] = Object.keys(others);
  if (other !== undefined)
    throw new Failure('BAD_REQUEST', `there is no field '${other.slice(0, 80)}': upTo, all, reason, by and why`);
  if (typeof all !== 'boolean') throw new Failure('BAD_REQUEST', 'all is true or false');
  if (all === (upTo !== undefined))
    throw new Failure('BAD_REQUEST', 'say up to where: either upTo, a list of positions, or all');
  return {
    upTo: upTo === undefined ? undefined : positionsOf(upTo),
    reason: optionalText(reason, 'reason'),
    by: optionalText(by, 'by'),
    why: optionalText(why, 'why') ?? '',
  };
}

function optionalText(value: unknown, name: string): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  throw new Failure('BAD_REQUEST', `${name} is a text`);
}

const isOffset = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function positionsOf(upTo: unknown): { partition: number; offset: number }[] {
  const list: readonly unknown[] = Array.isArray(upTo) ? upTo : [];
  const positions = list.flatMap((each) => {
    const { partition, offset } = (each ?? {}) as Readonly<Record<string, unknown>>;
    return isOffset(partition) && isOffset(offset) ? [{ partition, offset }] : [];
  });
  if (positions.length > 0 && positions.length === list.length) return positions;
  throw new Failure('BAD_REQUEST', 'upTo is a list of positions such as {"partition":0,"offset":12}, at least one');
}
