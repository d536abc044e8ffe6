import { Failure } from '@levee/kernel';
import { httpLimits } from './http-limits';
import { isDeeperThan } from './json-depth';

/** The JSON object of a body, as bytes or parsed already; no body is an empty one. Fails with BAD_REQUEST. */
export function jsonBody(body: unknown): Readonly<Record<string, unknown>> {
  const parsed = Buffer.isBuffer(body) ? parseText(body.toString('utf8')) : (body ?? {});
  if (isDeeperThan(parsed, httpLimits.jsonDepthMax))
    throw new Failure('BAD_REQUEST', `the body is nested deeper than ${httpLimits.jsonDepthMax} levels`);
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
    return parsed as Readonly<Record<string, unknown>>;
  throw new Failure('BAD_REQUEST', 'the body is a JSON object');
}

function parseText(text: string): unknown {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new Failure('BAD_REQUEST', `the body is no JSON: ${(error as Error).message}`);
  }
}
