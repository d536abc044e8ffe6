/** A change of routes as a portal told it. */
export interface RouteNews {
  /** Number of the decision. */
  readonly seq: number;
  /** When it was heard, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly atMs: number;
}

/** Follows the route changes of a namespace at one portal, as a client that watches does. */
export class RouteWatcher {
  readonly news: RouteNews[] = [];
  private readonly stop = new AbortController();
  private readonly ended: Promise<void>;

  /** `url`: a portal's HTTP door. */
  constructor(url: string, namespace = 'default') {
    this.ended = this.follow(`${url}/v1/watch/${namespace}`).catch((error: unknown) => {
      if (!this.stop.signal.aborted) this.failure = error;
    });
  }

  /** Why it ended before it was closed. */
  failure: unknown;

  async close(): Promise<void> {
    this.stop.abort();
    await this.ended;
  }

  private async follow(url: string): Promise<void> {
    const answer = await fetch(url, { signal: this.stop.signal });
    if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`);
    const decoder = new TextDecoder();
    let text = '';
    for await (const piece of answer.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(piece, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const seq = /^id: (\d+)$/m.exec(block)?.[1];
        if (seq !== undefined) this.news.push({ seq: Number(seq), atMs: Date.now() });
      }
    }
    throw new Error(`${url} ended`);
  }
}
