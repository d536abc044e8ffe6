import { splitLines } from './split-lines';

/** One server-sent event. */
export interface ServerEvent {
  readonly event: string;
  /** Of this event, else of the last one that had one. */
  readonly id: string | undefined;
  readonly data: string;
}

/** The events of a `text/event-stream`; comments are left out. `undefined`: a line above `lineBytesMax`, and the end. */
export async function* serverEvents(
  chunks: AsyncIterable<Buffer>,
  lineBytesMax: number,
): AsyncGenerator<ServerEvent | undefined> {
  let event = '';
  let id: string | undefined;
  let data: string[] = [];
  for await (const raw of splitLines(chunks, lineBytesMax)) {
    if (raw === undefined) {
      yield undefined;
      return;
    }
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (line === '') {
      if (data.length > 0) yield { event: event === '' ? 'message' : event, id, data: data.join('\n') };
      event = '';
      data = [];
      continue;
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') event = value;
    else if (name === 'id') id = value;
    else if (name === 'data') data.push(value);
  }
}
