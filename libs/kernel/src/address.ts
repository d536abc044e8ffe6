/** Where a process is reached. */
export interface Address {
  /** A name, or an IP address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** `host:port`; an IPv6 address stands in brackets, as in a URL: `[::1]:9092`. */
export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The address that {@link addressText} wrote, `undefined` if it is none. An IPv6 address without brackets is none. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.%]*:[\w:.%-]*)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text.trim());
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) return undefined;
  return { host: (match[1] ?? match[2]) as string, port };
}

/** As {@link parseAddress}, of one that a process wrote about itself: earlier ones wrote no brackets. */
export function splitAddress(text: string): Address {
  const colon = text.lastIndexOf(':');
  return parseAddress(text) ?? { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}
