import type { NamespaceState } from '@levee/events';

/** A namespace that never changed places with another one. */
export const neverSwapped = {
  bornAs: null,
  bornNumber: null,
  swappedWith: null,
  swappedAtMs: null,
  leftPositions: [],
} as const satisfies Partial<NamespaceState>;

/**
 * Name and creation under which the binlog and the chunks of a namespace were made: Genesis records, replicas and ids of
 * chunks say them for ever, whatever name it has since.
 */
export function bornOf({
  name,
  number,
  bornAs,
  bornNumber,
}: Pick<NamespaceState, 'name' | 'number' | 'bornAs' | 'bornNumber'>): {
  readonly name: string;
  readonly number: number;
} {
  return { name: bornAs ?? name, number: bornNumber ?? number };
}

/** `shop.orders#1`: one creation of a namespace, whatever its name is now. Ids of its chunks begin with it. */
export function creationIdOf(namespace: Parameters<typeof bornOf>[0]): string {
  const { name, number } = bornOf(namespace);
  return `${name}#${number}`;
}

/** `shop.orders#1` of the chunk `shop.orders#1/c00001`. */
export const creationOfChunk = (chunkId: string): string => chunkId.split('/', 1)[0] as string;

const creationMark = '@';
/** In no name. */
const nameMark = ' ';

/**
 * What readers call a namespace when they ask nodes: nodes and readers read the journal each in their own time, and a name
 * whose namespace has changed places may mean one binlog here, and another there. So they say the creation then, and the
 * number that the name has for them.
 */
export function askedAs(namespace: Parameters<typeof bornOf>[0]): string {
  return namespace.bornAs === null ? namespace.name : creationRead(namespace);
}

/**
 * The same, always with the creation: for readers that hear of decisions late. By a name alone a node that has heard of a
 * namespace made anew would look in it for slots of the old one, and find a key absent.
 */
export function creationRead(namespace: Parameters<typeof bornOf>[0]): string {
  const { name, number } = namespace;
  return `${creationMark}${creationIdOf(namespace)}${nameMark}${name}#${number}`;
}

/** The creation that a reader means; `undefined`: a name that has another namespace now, of which the reader has not heard. */
export function creationAsked(
  namespaceNamed: (name: string) => Parameters<typeof bornOf>[0] | undefined,
  asked: string,
): string | undefined {
  if (asked.startsWith(creationMark)) {
    const [creation = '', called = ''] = asked.slice(creationMark.length).split(nameMark);
    const [name = '', number] = called.split('#');
    // [safety] Numbers of a name only grow: who says an older one would miss what was written to the newer one.
    return (namespaceNamed(name)?.number ?? 0) > Number(number ?? Infinity) ? undefined : creation;
  }
  const namespace = namespaceNamed(asked);
  return namespace?.bornAs === null ? creationIdOf(namespace) : undefined;
}
