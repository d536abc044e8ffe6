import { defaultDeadlineMs, OperationFailed, outcomeOfCode, type Consistency, type KeyClient } from './key-client';
import type { Operation } from './operation';

export interface HttpClientOptions {
  /** HTTP doors of the portals, `http://127.0.0.1:7380`; each request goes to the next one. */
  readonly urls: readonly string[];
  readonly namespace?: string;
  readonly consistency: Consistency;
  readonly first?: number;
  /** When a write is answered; the namespace's default otherwise. */
  readonly ack?: 'logged' | 'primary' | 'all';
  readonly deadlineMs?: number;
}

/** Carries one session token from portal to portal, as a stateless client does. */
export class HttpClient implements KeyClient {
  private turn: number;
  private token: string | undefined;

  constructor(
    readonly name: string,
    private readonly options: HttpClientOptions,
  ) {
    this.turn = options.first ?? 0;
  }

  get session(): string {
    return this.name;
  }

  async get(key: string): Promise<string | null> {
    const answer = await this.ask('get', key, { method: 'GET' });
    return answer.status === 404 ? null : answer.text;
  }

  async set(key: string, value: string): Promise<void> {
    await this.ask('set', key, { method: 'PUT', body: value });
  }

  async del(key: string): Promise<void> {
    await this.ask('del', key, { method: 'DELETE' });
  }

  close(): void {
    this.token = undefined;
  }

  private async ask(op: Operation['op'], key: string, request: RequestInit): Promise<{ status: number; text: string }> {
    const base = this.options.urls[this.turn++ % this.options.urls.length] as string;
    const headers: Record<string, string> = { 'levee-consistency': this.options.consistency };
    if (this.token !== undefined) headers['levee-session'] = this.token;
    if (op === 'set') headers['content-type'] = 'application/octet-stream';
    if (op !== 'get' && this.options.ack !== undefined) headers['levee-ack'] = this.options.ack;
    const path = `${base}/v1/kv/${this.options.namespace ?? 'default'}/${encodeURIComponent(key)}`;
    let response: Response;
    let text: string;
    try {
      const signal = AbortSignal.timeout(this.options.deadlineMs ?? defaultDeadlineMs);
      response = await fetch(path, { ...request, headers, signal });
      text = await response.text();
    } catch (error) {
      const reason = reasonOf(error);
      throw new OperationFailed(reason.includes('ECONNREFUSED') ? 'definite' : 'indefinite', `${base}: ${reason}`);
    }
    const token = response.headers.get('levee-session');
    if (token !== null) this.token = token;
    const absent = op === 'get' && response.status === 404 && errorCode(text) === undefined;
    if (response.status === 202 && op !== 'get') throw new OperationFailed('pending', text);
    if (!response.ok && !absent)
      throw new OperationFailed(outcomeOfCode(errorCode(text), op), `${response.status} ${text.slice(0, 200)}`);
    return { status: response.status, text };
  }
}

/** The `code` of a problem body; a missing key says `NOT_FOUND` or nothing, which is no failure. */
function errorCode(text: string): string | undefined {
  try {
    const code = (JSON.parse(text) as { code?: unknown; error?: unknown }).code;
    return typeof code === 'string' && code !== 'NOT_FOUND' && code !== 'KEY_NOT_FOUND' ? code : undefined;
  } catch {
    return undefined;
  }
}

/** `fetch failed` says nothing; its cause does. Not by `instanceof`: a test runner's realm has another Error. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  return cause === undefined ? String(error) : String(cause);
}
