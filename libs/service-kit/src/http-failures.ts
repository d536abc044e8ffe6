import { HttpException, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { doorCode, Failure, messageOf, type Logger } from '@levee/kernel';
import { noteFailure } from './http-times';

/** The one table from failure and rejection codes to HTTP status codes; a code that is not here is 500. */
export const httpStatusByCode: Readonly<Record<string, number>> = {
  BAD_REQUEST: 400,
  BAD_COMMAND: 400,
  BAD_SETTINGS: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  HOST_REFUSED: 403,
  ORIGIN_REFUSED: 403,
  CONTENT_TYPE_REFUSED: 415,
  NOT_FOUND: 404,
  TOPIC_MISSING: 404,
  NAMESPACE_UNKNOWN: 404,
  NAMESPACE_EXISTS: 409,
  FENCED: 409,
  NOT_EMPTY: 409,
  PRODUCERS_ACTIVE: 409,
  CONTESTED: 409,
  NOT_PROVABLE: 422,
  INTERNAL: 500,
  COMMAND_EXPIRED: 410,
  OFFSET_OUT_OF_RANGE: 416,
  TOO_LARGE: 413,
  LIMIT: 429,
  NOT_SUPPORTED: 501,
  OUTCOME_UNKNOWN: 502,
  LOG_UNAVAILABLE: 503,
  LOG_TRUNCATED: 503,
  RECORD_CORRUPT: 503,
  NOT_READY: 503,
  UNAVAILABLE: 503,
  STOPPING: 503,
  DEADLINE: 504,
};

/** What every HTTP door answers instead of a result. */
interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Status of a rejection code the table does not name: `..._UNKNOWN` and `..._NOT_FOUND` are 404, others 422. */
export function rejectionStatus(code: string): number {
  const listed = httpStatusByCode[code];
  if (listed !== undefined) return listed;
  if (/(_UNKNOWN|_NOT_FOUND|_MISSING)$/.test(code)) return 404;
  if (/(_EXISTS|_CONFLICT|_NOT_READY|_FROZEN)$/.test(code)) return 409;
  return 422;
}

/** Turns what a controller throws into status and `ErrorBody`, with the code that doors have for it; unexpected errors are logged and say no internals. */
export class FailureFilter implements ExceptionFilter {
  constructor(
    private readonly logger: Logger,
    private readonly statusByCode: Readonly<Record<string, number>> = {},
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const { status, body } = this.answerTo(error);
    if (status >= 500 && status !== 503) this.logger.error({ error }, 'a request failed');
    if (typeof body === 'object' && body !== null && 'code' in body) noteFailure(reply, String(body.code));
    if (!reply.sent) void reply.status(status).send(body);
  }

  answerTo(error: unknown): { status: number; body: unknown } {
    if (error instanceof HttpException) return { status: error.getStatus(), body: bodyOf(error) };
    if (error instanceof Failure) {
      const status = this.statusByCode[error.code] ?? httpStatusByCode[error.code] ?? 500;
      const details = Object.keys(error.details).length > 0 ? { details: error.details } : {};
      return { status, body: { code: doorCode(error.code), message: error.message, ...details } };
    }
    const status = statusCodeOf(error);
    if (status !== undefined && status < 500) return { status, body: refusedByFramework(status, messageOf(error)) };
    return { status: 500, body: { code: 'INTERNAL', message: 'an unexpected error; the log of this process has it' } };
  }
}

/** A URL that cannot be read, which no route has seen. */
export function frameworkError(
  error: { statusCode?: number; message: string },
  _request: FastifyRequest,
  reply: FastifyReply,
): void {
  const status = error.statusCode ?? 400;
  void reply.status(status).send({ code: 'BAD_REQUEST', message: error.message.slice(0, 300) });
}

/** What came is no request, or did not come to its end in time: the answer is written by hand. */
export function clientError(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  const [status, code, message] = clientErrors[error.code ?? ''] ?? [
    '400 Bad Request',
    'BAD_REQUEST',
    'this is no HTTP request',
  ];
  const body = JSON.stringify({ code, message });
  if (socket.writable && socket.bytesWritten === 0)
    socket.write(
      `HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n${body}`,
    );
  socket.destroySoon();
}

const clientErrors: Readonly<Record<string, readonly [status: string, code: string, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'DEADLINE', 'the request did not arrive whole in time'],
  HPE_HEADER_OVERFLOW: [
    '431 Request Header Fields Too Large',
    'LVLIMIT',
    'the head of the request has more than 16 KiB',
  ],
};

/** It names no limit of a body whose length was not said before. */
function refusedByFramework(status: number, message: string): ErrorBody {
  if (status === 413) return { code: 'LVLIMIT', message: 'the body is larger than this door takes (docs/limits.md)' };
  return { code: status === 404 ? 'NOT_FOUND' : 'BAD_REQUEST', message };
}

function bodyOf(error: HttpException): unknown {
  const response = error.getResponse();
  if (typeof response === 'object' && response !== null && ('code' in response || 'checks' in response))
    return response;
  return refusedByFramework(error.getStatus(), error.message);
}

/** Fastify's own errors (body too large, malformed URL) carry their status. */
function statusCodeOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}
