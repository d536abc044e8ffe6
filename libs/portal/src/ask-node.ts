import { Failure } from '@levee/kernel';

const answerBytesMax = 16 * 1024 * 1024;

/** What a process of the cluster answers to GET, which must be JSON. */
export async function askNode(url: string, deadlineMs: number): Promise<unknown> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(deadlineMs) });
  if (!answer.ok) throw new Failure('UNAVAILABLE', `${url} answers ${answer.status}`);
  const text = await answer.text();
  if (text.length > answerBytesMax) throw new Failure('UNAVAILABLE', `${url} answers ${text.length} bytes`);
  return JSON.parse(text);
}
