import type { FastifyRequest } from 'fastify';
import { acks, consistencies, type Ack, type Consistency } from '@levee/client';
import { Failure } from '@levee/kernel';
import { requestIdLengthMax } from '@levee/portal';

/** One header, `undefined` when absent. */
export function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

export function ackOf(request: FastifyRequest): Ack | undefined {
  return oneOf(header(request, 'levee-ack'), acks, 'Levee-Ack');
}

export function consistencyOf(request: FastifyRequest): Consistency | undefined {
  return oneOf(header(request, 'levee-consistency'), consistencies, 'Levee-Consistency');
}

/** Names a write, so that its repetition is known as one. */
export function requestIdOf(request: FastifyRequest): string | undefined {
  const id = header(request, 'levee-request-id');
  if (id === undefined || id === '') return undefined;
  if (id.length <= requestIdLengthMax && /^[\x21-\x7e]+$/.test(id)) return id;
  const text = `Levee-Request-Id is '${id.slice(0, 40)}', it must be 1 to ${requestIdLengthMax} visible ASCII characters`;
  throw new Failure('BAD_REQUEST', text);
}

/** A whole number from `min` to `max`. */
export function wholeNumber(
  text: string | undefined,
  name: string,
  range: { min: number; max: number },
): number | undefined {
  if (text === undefined || text === '') return undefined;
  const n = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(n) && n >= range.min && n <= range.max) return n;
  throw new Failure(
    'BAD_REQUEST',
    `${name} is '${text.slice(0, 40)}', it must be a whole number from ${range.min} to ${range.max}`,
  );
}

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `300ms`, `1.5s`, `20m`, `12h`, `7d` in milliseconds. */
export function durationOf(text: string, name: string): number {
  const [, count = '', unit = ''] = /^(\d{1,15}(?:\.\d{1,9})?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Math.round(Number(count) * (unitsMs[unit] ?? 0));
  if (ms > 0 && ms <= 3_650 * 86_400_000) return ms;
  throw new Failure(
    'BAD_REQUEST',
    `${name} is '${text.slice(0, 40)}', it must be a duration from 1ms to 3650d, such as 300ms, 1.5s, 20m, 12h or 7d`,
  );
}

/** A switch of the query; what is neither on nor off is refused, since it would be taken for off. */
export function switchOf(text: string | undefined, name: string): boolean {
  if (text === undefined || text === '' || text === '0' || text === 'false') return false;
  if (text === '1' || text === 'true') return true;
  throw new Failure('BAD_REQUEST', `${name} is '${text.slice(0, 40)}', it must be 1 or 0 (true or false)`);
}

function oneOf<T extends string>(text: string | undefined, words: readonly T[], name: string): T | undefined {
  if (text === undefined || text === '') return undefined;
  const found = words.find((word) => word === text.toLowerCase());
  if (found) return found;
  throw new Failure('BAD_REQUEST', `${name} is one of ${words.join(', ')}, not '${text.slice(0, 40)}'`);
}

/** What deletes a namespace, or all its keys, has its name twice: in the path, and as ?confirm= or Levee-Confirm. */
export function confirmName(name: string, request: FastifyRequest, query: string | undefined): void {
  const confirmed = query ?? header(request, 'levee-confirm');
  if (confirmed === name) return;
  throw new Failure(
    'BAD_REQUEST',
    `this deletes every key of ${name.slice(0, 80)} for ever: name it again as ?confirm= or in Levee-Confirm` +
      (confirmed === undefined ? '' : `, not '${confirmed.slice(0, 80)}'`),
  );
}
