import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { outcomeOf, RequestTimes, type RequestKind, type RequestOutcome } from '@levee/kernel';
import { systemClock } from '@levee/log';

interface Answering {
  /** Since when the request has been here with its last byte, monotonic; `undefined`: it has not. */
  wholeAtMs?: number;
  /** Code of the error that the answer carries. */
  code?: string;
}

/** By the raw response. */
const underWay = new WeakMap<object, Answering>();

/** The answer carries an error of this code. What is refused before it has come whole is answered at once. */
export function noteFailure({ raw }: Pick<FastifyReply, 'raw'>, code: string): void {
  const answering = underWay.get(raw);
  if (answering === undefined) return;
  answering.code = code;
  answering.wholeAtMs ??= systemClock.monotonicMs();
}

/**
 * How long the requests of an HTTP door took, from the last byte that came. Health and metrics are asked for by machines;
 * events and lines last as long as somebody reads them.
 */
export function timeRequests(fastify: FastifyInstance): RequestTimes {
  const times = new RequestTimes('http', systemClock);

  function over(request: FastifyRequest, reply: FastifyReply): void {
    const isAnswered = reply.raw.writableFinished;
    const { wholeAtMs, code } = underWay.get(reply.raw) ?? {};
    underWay.delete(reply.raw);
    const { url = '' } = request.routeOptions;
    if (/^\/(health|metrics)\b/.test(url)) return;
    // Whoever hangs up half-way through a request has asked for nothing.
    if (wholeAtMs === undefined && !isAnswered) return;
    const type = reply.raw.getHeader('content-type') ?? reply.getHeader('content-type') ?? '';
    if (streams.test(String(type))) return;
    const kind = kindOf(request.method, url);
    const outcome = isAnswered ? outcomeOfAnswer(code, reply.statusCode, kind) : 'abandoned';
    // Only what was done proves that the namespace is there.
    const isThere = outcome === 'ok' || outcome === 'pending' || outcome === 'unknown';
    const namespace = kind === 'other' || !isThere ? undefined : namespaceOf(request);
    const ofNamespace = namespace === undefined ? times.ofNone : times.of(namespace);
    ofNamespace[kind].observe(outcome, wholeAtMs === undefined ? 0 : systemClock.monotonicMs() - wholeAtMs);
  }

  fastify.addHook('onRequest', (request, reply, done) => {
    underWay.set(reply.raw, {});
    // Fastify tells nobody of an answer that is not wanted any more.
    reply.raw.once('close', () => {
      if (underWay.has(reply.raw) && !reply.raw.writableFinished) over(request, reply);
    });
    done();
  });
  fastify.addHook('preValidation', (_, reply, done) => {
    const answering = underWay.get(reply.raw);
    if (answering) answering.wholeAtMs = systemClock.monotonicMs();
    done();
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    done();
    over(request, reply);
  });
  return times;
}

const streams = /^(text\/event-stream|application\/x-ndjson)\b/;

function kindOf(method: string, url: string): RequestKind {
  if (!url.startsWith('/v1/kv/')) return 'other';
  if (method !== 'GET' && method !== 'HEAD') return 'write';
  return url.endsWith('/:key') ? 'read' : 'scan';
}

function outcomeOfAnswer(code: string | undefined, status: number, kind: RequestKind): RequestOutcome {
  if (code === 'NOT_FOUND' && kind === 'read') return 'ok';
  if (code !== undefined) return outcomeOf(code);
  if (status >= 500) return 'failed';
  if ([413, 429, 431, 507].includes(status)) return 'limited';
  return status >= 400 ? 'refused' : 'ok';
}

function namespaceOf({ params }: FastifyRequest): string | undefined {
  const { namespace } = (params ?? {}) as Readonly<Record<string, unknown>>;
  return typeof namespace === 'string' ? namespace : undefined;
}
