import { doorCode, Failure, failureCode, messageOf } from '@levee/kernel';
import type { WorkLine } from '@levee/portal';

/** The lines of long work; with one told already the status is sent, and a failure is the last line. */
export async function* workLines(work: AsyncGenerator<WorkLine>): AsyncGenerator<WorkLine | object> {
  let begun = false;
  try {
    for await (const line of work) {
      begun = true;
      yield line;
    }
  } catch (error) {
    if (!begun) throw error;
    yield { code: doorCode(failureCode(error) ?? 'INTERNAL'), message: messageOf(error) };
  }
}

/** A whole number of a body; `undefined` when it is not said. Fails with BAD_REQUEST. */
export function natural(body: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const value = body[name];
  if (value === undefined) return undefined;
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new Failure(
    'BAD_REQUEST',
    `${name} is ${JSON.stringify(value)?.slice(0, 80)}, a whole number from 0 is needed`,
  );
}

export function missing(name: string): never {
  throw new Failure('BAD_REQUEST', `${name} is missing`);
}
