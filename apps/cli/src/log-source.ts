import type { RecordView } from '@levee/codec';
import { CliFailure } from './exit';
import type { PortalClient } from './portal-client';
import { rowsOf } from './rows';

/** Where log records are read from: a portal, or the log itself. */
export interface LogSource {
  topics(): Promise<readonly TopicSummary[]>;
  /** Records from `from` on: up to the end as it is now, or for ever. */
  records(topic: string, partition: number, range: LogRange): AsyncIterable<LogLine>;
  close(): Promise<void>;
}

export interface TopicSummary {
  readonly name: string;
  readonly partitions: number;
  readonly offsets?: readonly {
    readonly partition: number;
    readonly startOffset: number;
    readonly endOffset: number;
  }[];
}

export interface LogRange {
  readonly from: number;
  readonly follow: boolean;
}

export interface LogLine extends RecordView {
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly headers?: readonly { readonly key: string; readonly value: unknown }[];
}

/** Through the HTTP door of a portal, which decodes. */
export class PortalLogSource implements LogSource {
  private readonly closing = new AbortController();

  constructor(private readonly portal: PortalClient) {}

  async topics(): Promise<readonly TopicSummary[]> {
    return rowsOf(await this.portal.json({ path: '/v1/log/topics' }), 'topics') as unknown as readonly TopicSummary[];
  }

  async *records(topic: string, partition: number, { from, follow }: LogRange): AsyncIterable<LogLine> {
    const path = `/v1/log/${encodeURIComponent(topic)}/${partition}`;
    const query = { from, follow: follow ? 1 : undefined };
    for await (const line of this.portal.lines({ path, query }, this.closing.signal)) {
      // The status was sent long before: an error is the last line.
      if (line['offset'] === undefined) throw new CliFailure(String(line['code']), String(line['message']));
      yield { partition, ...line } as unknown as LogLine;
    }
  }

  close(): Promise<void> {
    this.closing.abort();
    return Promise.resolve();
  }
}
