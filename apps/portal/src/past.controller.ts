import { Controller, Get, Param, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Failure } from '@levee/kernel';
import { PastQuestions } from '@levee/portal';
import { goneOf } from './json-lines';
import { wholeNumber } from './request-choices';

type Moment = { timeMs: number } | { seq: number } | { newest: true };

/** The control plane as it was, proved from the journal or said to be not provable. */
@ApiTags('audit')
@Controller('v1/past')
export class PastController {
  constructor(private readonly past: PastQuestions) {}

  @Get('routes/:namespace')
  @ApiOperation({ summary: 'Which replicas of which chunks were entitled to answer; default: as the journal ends now' })
  @ApiQuery({ name: 'timeMs', required: false, description: 'at that time, ms since 1970' })
  @ApiQuery({ name: 'decision', required: false, description: 'right behind the decision of that number' })
  routes(
    @Param('namespace') name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Query('timeMs') timeMs?: string,
    @Query('decision') decision?: string,
  ) {
    return this.past.routes(name, { moment: momentOf(timeMs, decision), signal: goneOf(reply) });
  }

  @Get('explain')
  @ApiOperation({ summary: 'Why a chunk, plan or node was as it was, down to who asked for it' })
  @ApiQuery({ name: 'subject', description: 'default#1/c00001, p42 or n1' })
  @ApiQuery({ name: 'timeMs', required: false, description: 'at that time, ms since 1970' })
  @ApiQuery({ name: 'decision', required: false, description: 'right behind the decision of that number' })
  explain(
    @Res({ passthrough: true }) reply: FastifyReply,
    @Query('subject') subject?: string,
    @Query('timeMs') timeMs?: string,
    @Query('decision') decision?: string,
  ) {
    if (subject === undefined || subject === '')
      throw new Failure('BAD_REQUEST', 'subject is missing: a chunk (default#1/c00001), a plan (p42) or a node (n1)');
    return this.past.explain(subject, { moment: momentOf(timeMs, decision), signal: goneOf(reply) });
  }
}

function momentOf(timeText: string | undefined, decisionText: string | undefined): Moment {
  const timeMs = wholeNumber(timeText, 'timeMs', { min: 0, max: Number.MAX_SAFE_INTEGER });
  const seq = wholeNumber(decisionText, 'decision', { min: 1, max: Number.MAX_SAFE_INTEGER });
  if (timeMs !== undefined && seq !== undefined)
    throw new Failure('BAD_REQUEST', 'timeMs and decision name two moments: choose one');
  if (timeMs !== undefined) return { timeMs };
  return seq === undefined ? { newest: true } : { seq };
}
