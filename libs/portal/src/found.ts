import type { Rejection } from '@levee/cluster';
import { Failure } from '@levee/kernel';

/** What a pure view answers; a rejection is thrown as a Failure with its code. */
export function found<T extends object>(answer: T | Rejection): T {
  if ('code' in answer && 'message' in answer) throw refusal(answer as Rejection);
  return answer as T;
}

export const refusal = ({ code, message }: Rejection): Failure => new Failure(code, message);
