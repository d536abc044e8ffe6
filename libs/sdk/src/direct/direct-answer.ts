import { consistencies } from '@levee/client';
import type { DirectView } from '@levee/cluster';
import { messageOf } from '@levee/kernel';
import { hashAlgorithms, partitionsMax } from '@levee/keyspace';

/** What a portal says to LV.DIRECT: a view, with its wall clock. */
export type DirectAnswer = DirectView & { readonly nowMs: number };

/** Far more than a cluster has, and little enough to be held. */
const answerLimits = { nodesMax: 100_000, routesMax: 1_000_000, textMax: 4_096, dateMsMax: 8.64e15 } as const;

/**
 * The answer in `text`, whose fields are what their types say. Throws where it is anything else: what was known before
 * stays in force, and a portal of a newer version, or one that is no portal, leads to no node.
 */
export function readDirectAnswer(text: string): DirectAnswer {
  try {
    const answer = new Fields(JSON.parse(text), 'it');
    answer.integer('version', 0, Number.MAX_SAFE_INTEGER);
    answer.integer('nowMs', 0, answerLimits.dateMsMax);
    if (answer.oneOf('change', ['metaChange', 'notChange']) === 'metaChange') checkRoutes(answer);
    return answer.of as unknown as DirectAnswer;
  } catch (error) {
    throw new Error(`a portal's answer to LV.DIRECT is not understood: ${messageOf(error)}`, { cause: error });
  }
}

function checkRoutes(answer: Fields): void {
  for (const name of ['askedAs', 'log']) answer.text(name);
  answer.integer('partitions', 1, partitionsMax);
  answer.oneOf('hashAlgorithm', hashAlgorithms);
  answer.oneOf('consistency', consistencies);
  if (answer.of.notDirect !== null) answer.text('notDirect');
  const nodes = answer.list('nodes', answerLimits.nodesMax);
  for (const [i, each] of nodes.entries()) {
    const node = new Fields(each, `nodes[${i}]`);
    for (const name of ['nodeId', 'storeId', 'respAddress']) node.text(name);
  }
  for (const [i, each] of answer.list('routes', answerLimits.routesMax).entries()) {
    const route = new Fields(each, `routes[${i}]`);
    route.text('chunkId');
    for (const name of ['slotStart', 'slotEnd', 'seq']) route.integer(name, 0, Number.MAX_SAFE_INTEGER);
    const places = route.list('nodes', nodes.length);
    for (const place of places) integer(place, `routes[${i}].nodes`, 0, nodes.length - 1);
    route.integer('upCount', 0, places.length);
  }
}

class Fields {
  readonly of: Readonly<Record<string, unknown>>;

  constructor(
    value: unknown,
    private readonly path: string,
  ) {
    if (typeof value !== 'object' || value === null) throw new Error(`${path} is ${shown(value)}, no object`);
    this.of = value as Record<string, unknown>;
  }

  integer(name: string, min: number, max: number): void {
    integer(this.of[name], this.where(name), min, max);
  }

  text(name: string): void {
    const value = this.of[name];
    if (typeof value !== 'string' || value === '' || value.length > answerLimits.textMax)
      throw new Error(`${this.where(name)} is ${shown(value)}, no text of 1 to ${answerLimits.textMax} characters`);
  }

  oneOf<Word extends string>(name: string, words: readonly Word[]): Word {
    const value = this.of[name];
    const word = words.find((each) => each === value);
    if (word === undefined) throw new Error(`${this.where(name)} is ${shown(value)}, none of ${words.join(', ')}`);
    return word;
  }

  list(name: string, most: number): readonly unknown[] {
    const value = this.of[name];
    if (!Array.isArray(value) || value.length > most)
      throw new Error(`${this.where(name)} is ${shown(value)}, no list of at most ${most}`);
    return value;
  }

  private where(name: string): string {
    return this.path === 'it' ? name : `${this.path}.${name}`;
  }
}

function integer(value: unknown, where: string, min: number, max: number): void {
  if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max)
    throw new Error(`${where} is ${shown(value)}, no whole number from ${min} to ${max}`);
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  const text = JSON.stringify(value) ?? 'missing';
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
