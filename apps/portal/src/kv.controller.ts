import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { Body, Controller, Delete, Get, HttpCode, Param, Put, Req, Res } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { KeyValue, prefixEnd, StoreFailure, TooLargeFailure, type WrittenAt, ScanVisits } from '@levee/client';
import { asOffset, asPartition, Failure } from '@levee/kernel';
import type { Session } from '@levee/keyspace';
import { RepeatedWrites, ValueDecoder } from '@levee/portal';
import { keyOf, queryBytes } from './raw-url';
import { ackOf, consistencyOf, durationOf, header, requestIdOf, switchOf, wholeNumber } from './request-choices';
import { type Decode, scanLines } from './scan-lines';
import { tooLarge } from './too-large';

const keyParam = { name: 'key', description: 'percent-encoded bytes, / as %2F' };
const sessionHeader = { name: 'Levee-Session', required: false, description: 'token of an earlier answer' };
const ackHeader = { name: 'Levee-Ack', required: false, schema: { enum: ['logged', 'primary', 'all'] } };
const consistencyHeader = {
  name: 'Levee-Consistency',
  required: false,
  schema: { enum: ['eventual', 'session', 'strong'] },
};

const requestIdHeader = {
  name: 'Levee-Request-Id',
  required: false,
  description: 'the same id again within 10 minutes at the same portal joins the original write',
};

const scanLimits = { limitDefault: 1_000, limitMax: 1_000_000 } as const;

/** Keys and values. Values are bytes, whatever content type they come with. */
@ApiTags('keys')
@Controller('v1/kv')
export class KvController {
  constructor(
    private readonly keyValue: KeyValue,
    private readonly repeated: RepeatedWrites<WrittenAt>,
    private readonly decoder: ValueDecoder,
  ) {}

  @Get(':namespace/:key')
  @ApiOperation({ summary: 'Value of a key (HEAD: whether it is there)' })
  @ApiParam(keyParam)
  @ApiHeader(consistencyHeader)
  @ApiHeader(sessionHeader)
  @ApiHeader({
    name: 'Accept',
    required: false,
    description: 'application/json: the value as JSON, where its bytes or a schema registry tell how',
  })
  @ApiResponse({
    status: 200,
    description: 'the bytes of the value; Levee-Not-Decoded says why it is no JSON, where that was asked for',
    content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } }, 'application/json': {} },
  })
  @ApiResponse({ status: 404, description: 'no such key (NOT_FOUND) or namespace (LVNAMESPACE)' })
  async get(
    @Param('namespace') name: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const namespace = this.keyValue.namespace(name);
    const session = this.keyValue.session(namespace, header(request, 'levee-session'));
    const key = keyOf(request.originalUrl);
    const choice = { session, consistency: consistencyOf(request) };
    const entry = await this.keyValue
      .get(namespace, key, choice)
      // A failure may say how the session goes on.
      .finally(() => tellSession(reply, session))
      .catch((error: unknown) => {
        throw sized(error);
      });
    if (!entry) throw new Failure('NOT_FOUND', `there is no such key in ${name}`);
    reply.header('levee-position', `${entry.partition}:${entry.offset + 1}`);
    if (entry.expiresAtMs !== null) reply.header('levee-expires-at', String(entry.expiresAtMs));
    reply.header('vary', 'accept');
    const decoded = wantsJson(request) ? await this.decoder.decode(entry.value) : undefined;
    if (decoded?.schemaId !== undefined) reply.header('levee-schema-id', String(decoded.schemaId));
    if (decoded !== undefined && 'json' in decoded) {
      await reply.status(200).type('application/json; charset=utf-8').send(decoded.json);
      return;
    }
    if (decoded !== undefined) reply.header('levee-not-decoded', headerText(decoded.problem));
    await reply.status(200).type('application/octet-stream').send(entry.value);
  }

  @Put(':namespace/:key')
  @ApiOperation({ summary: 'Sets a key' })
  @ApiParam(keyParam)
  @ApiHeader(ackHeader)
  @ApiHeader(requestIdHeader)
  @ApiHeader(sessionHeader)
  @ApiQuery({ name: 'ttl', required: false, description: 'time to live: 300ms, 1.5s, 20m, 12h or 7d' })
  @ApiHeader({ name: 'Levee-Ttl', required: false, description: 'as ttl' })
  @ApiHeader({ name: 'Levee-Expires-At', required: false, description: 'ms since 1970, in place of a time to live' })
  @ApiBody({ schema: { type: 'string', format: 'binary' }, description: 'at most 1 MiB' })
  @ApiResponse({ status: 204, description: 'written; Levee-Position and Levee-Session say where' })
  @ApiResponse({ status: 202, description: 'LVPENDING: logged, not yet applied everywhere asked for' })
  async put(
    @Param('namespace') name: string,
    @Body() body: unknown,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const namespace = this.keyValue.namespace(name);
    const key = keyOf(request.originalUrl);
    const session = this.keyValue.session(namespace, header(request, 'levee-session'));
    const { expiresAtMs, asked } = expiryOf(request, this.keyValue.expiryNowMs());
    const value = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
    const ack = ackOf(request);
    const write = (): Promise<WrittenAt> => this.keyValue.put(namespace, key, value, { ack, session, expiresAtMs });
    const same = fingerprint(['PUT', namespace.state.binlog, key, value, asked, `${ack}`]);
    await this.answerWrite({ request, reply, session }, same, write);
  }

  @Delete(':namespace/:key')
  @ApiOperation({ summary: 'Deletes a key, whether it is there or not' })
  @ApiParam(keyParam)
  @ApiHeader(ackHeader)
  @ApiHeader(requestIdHeader)
  @ApiHeader(sessionHeader)
  @ApiResponse({ status: 204, description: 'the deletion is written' })
  async delete(
    @Param('namespace') name: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const namespace = this.keyValue.namespace(name);
    const session = this.keyValue.session(namespace, header(request, 'levee-session'));
    const key = keyOf(request.originalUrl);
    const ack = ackOf(request);
    const write = (): Promise<WrittenAt> => this.keyValue.delete(namespace, key, { ack, session });
    const same = fingerprint(['DELETE', namespace.state.binlog, key, `${ack}`]);
    await this.answerWrite({ request, reply, session }, same, write);
  }

  @Get(':namespace')
  @HttpCode(200)
  @ApiOperation({ summary: 'Keys and values in byte order, one JSON object a line; the last line is {cursor}' })
  @ApiQuery({ name: 'from', required: false, description: 'first key, percent-encoded' })
  @ApiQuery({ name: 'to', required: false, description: 'key to stop before' })
  @ApiQuery({ name: 'prefix', required: false })
  @ApiQuery({ name: 'limit', required: false, description: `default ${scanLimits.limitDefault}` })
  @ApiQuery({ name: 'cursor', required: false, description: 'of the last line; the other bounds must be the same' })
  @ApiQuery({ name: 'keysOnly', required: false, description: '1: without values' })
  @ApiQuery({
    name: 'decode',
    required: false,
    description:
      '1: values as JSON, in json, where their bytes or a schema registry tell how; else notDecoded says why',
  })
  @ApiQuery({
    name: 'visited',
    required: false,
    description:
      '1: the last line also says which chunks were looked into, and which nodes answered: {cursor, visited}',
  })
  @ApiHeader(consistencyHeader)
  @ApiHeader(sessionHeader)
  @ApiResponse({ status: 200, content: { 'application/x-ndjson': {} } })
  async scan(
    @Param('namespace') name: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const namespace = this.keyValue.namespace(name);
    const session = this.keyValue.session(namespace, header(request, 'levee-session'));
    const url = request.originalUrl;
    const text = (parameter: string): string | undefined => queryBytes(url, parameter)?.toString('utf8');
    const limit = wholeNumber(text('limit'), 'limit', { min: 1, max: scanLimits.limitMax }) ?? scanLimits.limitDefault;
    const keysOnly = switchOf(text('keysOnly'), 'keysOnly');
    const decode = this.decodeOf(text('decode'));
    const visits = switchOf(text('visited'), 'visited') ? new ScanVisits() : undefined;
    const range = rangeOf(url, text('cursor'));
    const items = this.keyValue.scan(namespace, {
      ...range,
      limit,
      keysOnly,
      session,
      consistency: consistencyOf(request),
      visits,
    });
    // A reader that hangs up leaves nothing behind.
    reply.raw.once('close', () => void items.return().catch(() => undefined));
    // The first key is waited for, so that a scan that cannot begin is an error and no empty answer.
    const first = await items.next().finally(() => tellSession(reply, session));
    await reply
      .status(200)
      .type('application/x-ndjson')
      .send(Readable.from(scanLines(first, items, { limit, keysOnly, visits, decode })));
  }

  private decodeOf(text: string | undefined): Decode | undefined {
    const { decoder } = this;
    if (text === 'text') return { decoder, as: 'jsonText' };
    return switchOf(text, 'decode') ? { decoder, as: 'json' } : undefined;
  }

  /** With a request id that is known, the original's outcome; `same` tells whether it is the same request. */
  private async answerWrite(call: WriteCall, same: string, write: () => Promise<WrittenAt>): Promise<void> {
    const { request, reply, session } = call;
    const id = requestIdOf(request);
    try {
      const { outcome, joined } =
        id === undefined ? { outcome: write(), joined: false } : this.repeated.run(id, same, write);
      if (joined) reply.header('levee-repeated', 'true');
      const { partition, nextOffset } = await outcome;
      session.observe(partition, nextOffset);
      reply.header('levee-position', `${partition}:${nextOffset}`);
      tellSession(reply, session);
      await reply.status(204).send();
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      const { position } = error.details;
      if (typeof position === 'string') {
        observe(session, position);
        reply.header('levee-position', position);
        tellSession(reply, session);
      }
      throw sized(error);
    }
  }
}

interface WriteCall {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly session: Session;
}

/** `partition:nextOffset` of a write that is logged. */
function observe(session: Session, position: string): void {
  const [partition, nextOffset] = position.split(':').map(Number);
  if (partition !== undefined && nextOffset !== undefined)
    session.observe(asPartition(partition), asOffset(nextOffset));
}

/** Equal for equal requests; a hash, so that what is remembered of a write is small. */
function fingerprint(parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length} `).update(part);
  return hash.digest('base64');
}

const timeRange = { min: 1, max: Number.MAX_SAFE_INTEGER - 1 };

/** HTTP has a status of its own for what is too large. */
function sized(error: unknown): unknown {
  return error instanceof TooLargeFailure ? tooLarge(error.message) : error;
}

interface Expiry {
  /** Ms since 1970; `undefined` = as late as the namespace allows. */
  readonly expiresAtMs: number | undefined;
  /** As it was asked for, which is the same when the request is repeated. */
  readonly asked: string;
}

/** Before this nothing expires that anybody writes today: it is a time in seconds. */
const longAgoMs = 50 * 365.25 * 86_400_000;

function expiryOf(request: FastifyRequest, nowMs: number): Expiry {
  const at = header(request, 'levee-expires-at');
  const ttl = queryBytes(request.originalUrl, 'ttl')?.toString('utf8') ?? header(request, 'levee-ttl');
  const expiresAtMs = wholeNumber(at, 'Levee-Expires-At', timeRange);
  if (ttl === undefined || ttl === '') {
    if (expiresAtMs !== undefined && expiresAtMs < nowMs - longAgoMs)
      throw new Failure(
        'BAD_REQUEST',
        `Levee-Expires-At is ${expiresAtMs}, which is ${new Date(expiresAtMs).toISOString()}: it counts milliseconds, not seconds`,
      );
    return { expiresAtMs, asked: `at ${at}` };
  }
  if (expiresAtMs !== undefined) throw new Failure('BAD_REQUEST', 'say either a time to live or Levee-Expires-At');
  return { expiresAtMs: nowMs + durationOf(ttl, 'ttl'), asked: `ttl ${ttl}` };
}

function tellSession(reply: FastifyReply, session: Session): void {
  reply.header('levee-session', session.encode());
}

function rangeOf(url: string, cursor: string | undefined): { from: Buffer; to: Buffer } {
  const prefix = queryBytes(url, 'prefix');
  let from = queryBytes(url, 'from') ?? Buffer.alloc(0);
  let to = queryBytes(url, 'to') ?? Buffer.alloc(0);
  if (prefix) {
    if (prefix.compare(from) > 0) from = prefix;
    const end = prefixEnd(prefix);
    if (end.length > 0 && (to.length === 0 || end.compare(to) < 0)) to = end;
  }
  if (cursor === undefined || cursor === '') return { from, to };
  if (!/^1[A-Za-z0-9_-]*$/.test(cursor))
    throw new StoreFailure('LVCURSOR', 'this is no cursor of a scan: begin again without one');
  return { from: Buffer.from(cursor.slice(1), 'base64url'), to };
}

/** JSON was named: who takes anything gets the bytes. */
function wantsJson(request: FastifyRequest): boolean {
  const accepted = (header(request, 'accept') ?? '')
    .toLowerCase()
    .split(',')
    .map((each) => each.trim());
  return accepted.some((each) => /^application\/json(?:\s*;|$)/.test(each) && !/;\s*q=0(?:\.0*)?(?:\s*;|$)/.test(each));
}

/** Visible ASCII, as a header can hold it. */
const headerText = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
