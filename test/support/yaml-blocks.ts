/** Blocks of a YAML text that begin at this depth, by name; anchors are named as they are. */
export function blocks(text: string, depth: number): Map<string, string> {
  const begin = new RegExp(`^ {${depth}}([\\w-]+):(?: &(\\w+))?`, 'gm');
  const starts = [...text.matchAll(begin)];
  return new Map(starts.map((start, i) => [start[2] ?? start[1] ?? '', text.slice(start.index, starts[i + 1]?.index)]));
}

/** `environment: { A: b, C: 'd' }` of a service, on one line or several. */
export function environmentOf(service: string): Record<string, string> {
  const inner = /environment:\s*\{((?:[^{}]|\$\{[^}]*\})*)\}/.exec(service)?.[1] ?? '';
  return Object.fromEntries(
    [...inner.matchAll(/(\w+): (?:'([^']*)'|([^,'\s]+))/g)].map(([, variable, quoted, plain]) => [
      variable,
      quoted ?? plain,
    ]),
  ) as Record<string, string>;
}

/** What is published, on this machine and in the container. */
export const portsOf = (service: string): (readonly [number, number])[] =>
  [...service.matchAll(/127\.0\.0\.1:(\d+):(\d+)/g)].map(([, here, there]) => [Number(here), Number(there)] as const);
