import { Body, Controller, Get, HttpCode, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Failure } from '@levee/kernel';
import { Explanations, type PlanReport, Plans } from '@levee/portal';
import { jsonBody, principalOf } from '@levee/service-kit';
import { sendJsonLines } from './json-lines';
import { switchOf } from './request-choices';

/** Recorded changes of where data lives. */
@ApiTags('plans')
@Controller('v1')
export class PlansController {
  constructor(
    private readonly plans: Plans,
    private readonly explanations: Explanations,
  ) {}

  @Get('plans')
  @ApiOperation({ summary: 'Plans that are not over (state=open), or all that are remembered (state=all)' })
  @ApiQuery({ name: 'state', required: false, enum: ['open', 'all'] })
  @ApiQuery({ name: 'namespace', required: false })
  list(@Query('state') state?: string, @Query('namespace') namespace?: string) {
    if (state !== undefined && state !== '' && state !== 'open' && state !== 'all')
      throw new Failure('BAD_REQUEST', `state is '${state.slice(0, 40)}', it must be open or all`);
    return { plans: this.plans.list(state === 'all' ? 'all' : 'open', namespace === '' ? undefined : namespace) };
  }

  @Post('plans')
  @HttpCode(201)
  @ApiOperation({ summary: 'Proposes a plan; with dryRun=1 says what it would do, and changes nothing' })
  @ApiQuery({ name: 'dryRun', required: false, enum: ['0', '1', 'false', 'true'] })
  @ApiBody({
    schema: {
      type: 'object',
      required: ['kind'],
      properties: { kind: { type: 'string' } },
      additionalProperties: true,
    },
  })
  @ApiResponse({ status: 201, description: 'the plan, or what it would be' })
  @ApiResponse({ status: 409, description: 'PLAN_CONFLICT: another plan has these slots' })
  async propose(@Body() body: unknown, @Req() request: FastifyRequest, @Query('dryRun') dryRun?: string) {
    const payload = jsonBody(body);
    if (switchOf(dryRun, 'dryRun')) return this.plans.dryRun(payload);
    return this.plans.propose(payload, principalOf(request).name);
  }

  @Get('plans/:id')
  @ApiOperation({ summary: 'One plan: its steps with time and evidence, and how far its replicas are' })
  plan(@Param('id') id: string): PlanReport {
    return this.plans.report(id);
  }

  @Get('plans/:id/watch')
  @ApiOperation({ summary: 'The plan at every change, one JSON object a line, until it is over' })
  async watch(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await sendJsonLines(reply, (signal) => this.plans.watch(id, { signal, address: request.ip }));
  }

  @Post('plans/:id/approve')
  @HttpCode(200)
  @ApiOperation({ summary: 'Lets a plan begin that waits for approval' })
  approve(@Param('id') id: string, @Req() request: FastifyRequest): Promise<PlanReport> {
    return this.plans.order({ planId: id }, 'approve', principalOf(request).name);
  }

  @Post('plans/:id/cancel')
  @HttpCode(200)
  @ApiOperation({ summary: 'Gives a plan up before its switch' })
  cancel(@Param('id') id: string, @Req() request: FastifyRequest): Promise<PlanReport> {
    return this.plans.order({ planId: id }, 'cancel', principalOf(request).name);
  }

  @Post('plans/:id/rollback')
  @HttpCode(200)
  @ApiOperation({ summary: 'Takes a switch back while the plan observes' })
  rollback(@Param('id') id: string, @Req() request: FastifyRequest): Promise<PlanReport> {
    return this.plans.order({ planId: id }, 'rollback', principalOf(request).name);
  }

  @Post('plans/:id/retry')
  @HttpCode(200)
  @ApiOperation({ summary: 'Tries a plan again that stopped' })
  retry(@Param('id') id: string, @Req() request: FastifyRequest): Promise<PlanReport> {
    return this.plans.order({ planId: id }, 'retry', principalOf(request).name);
  }

  @Post('plans/:id/finish')
  @HttpCode(200)
  @ApiOperation({ summary: 'Ends the time to observe: what was superseded goes, once both sides are compared again' })
  @ApiBody({ required: false, schema: { type: 'object', properties: { reason: { type: 'string' } } } })
  @ApiResponse({ status: 200, description: 'the plan' })
  @ApiResponse({ status: 409, description: 'PLAN_NOT_READY: it does not observe' })
  finish(@Param('id') id: string, @Body() body: unknown, @Req() request: FastifyRequest): Promise<PlanReport> {
    return this.plans.order({ ...jsonBody(body), planId: id }, 'finish', principalOf(request).name);
  }

  @Get('explain')
  @ApiOperation({ summary: 'Why a chunk, plan or node is as it is, from recorded evidence' })
  @ApiQuery({ name: 'subject', description: 'default#1/c00001, p42 or n1' })
  explain(@Query('subject') subject?: string) {
    if (subject === undefined || subject === '')
      throw new Failure('BAD_REQUEST', 'subject is missing: a chunk (default#1/c00001), a plan (p42) or a node (n1)');
    return this.explanations.of(subject);
  }
}
