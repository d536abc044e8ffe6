/** One server-sent event; `data` is one line of JSON. Without an id the reader's last id stays. */
export function serverEvent(event: string, data: object, id?: number): Buffer {
  const idLine = id === undefined ? '' : `id: ${id}\n`;
  return Buffer.from(`${idLine}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** A line that readers skip: keeps the connection, and what stands between, awake. */
export const aliveComment: Buffer = Buffer.from(': alive\n\n');
