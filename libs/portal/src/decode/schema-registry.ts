import { AvroJson } from '@levee/codec';
import { type Clock, Failure, messageOf } from '@levee/kernel';
import { boundedBody } from '@levee/wire';

export const schemaRegistryLimits = {
  /** A read waits no longer for a schema. */
  deadlineMs: 2_000,
  /** Schemas that are asked for at once; the others are told that the registry is busy. */
  askedMax: 16,
  schemaBytesMax: 1 << 20,
  /** Schemas that one refers to, and those refer to, together. */
  referencesMax: 64,
  /** Schemas kept; their ids never mean anything else. */
  keptMax: 1_000,
  /** Ids that are known to be missing or unreadable: so many, and so long. */
  missingMax: 1_000,
  missingMs: 60_000,
  /** A registry that did not answer is left alone for so long, so that reads do not wait for it one by one. */
  downMs: 5_000,
} as const;

/** How bodies of one schema id are read. */
export type RegisteredSchema =
  | { readonly kind: 'avro'; readonly avro: AvroJson }
  | { readonly kind: 'json' }
  /** `problem`: why they are not read. */
  | { readonly kind: 'unread'; readonly problem: string };

interface SchemaAnswer {
  readonly schema: string;
  readonly schemaType: string;
  readonly references: readonly SchemaReference[];
}

interface SchemaReference {
  readonly subject: string;
  readonly version: number;
}

/**
 * Schemas by their ids, from a registry with Confluent's HTTP API, which others (Karapace, Apicurio) serve too:
 * `GET /schemas/ids/{id}`, and `GET /subjects/{subject}/versions/{version}` for what a schema refers to.
 */
export class SchemaRegistry {
  readonly counts = { fetched: 0, failed: 0, refusedBusy: 0 };
  private readonly base: string;
  private readonly authorization: string | undefined;
  private readonly kept = new Map<number, RegisteredSchema>();
  private readonly missing = new Map<number, { readonly schema: RegisteredSchema; readonly untilMs: number }>();
  private readonly asked = new Map<number, Promise<RegisteredSchema>>();
  private down: { readonly untilMs: number; readonly problem: string } | undefined;

  /** `url` may have a user and a password, which are sent and never told. */
  constructor(
    url: string,
    private readonly clock: Pick<Clock, 'monotonicMs'>,
  ) {
    const parsed = new URL(url);
    const { username, password } = parsed;
    parsed.username = parsed.password = '';
    this.base = parsed.href.replace(/\/+$/, '');
    const pair = [username, password].map(decoded).join(':');
    this.authorization = username === '' ? undefined : `Basic ${Buffer.from(pair).toString('base64')}`;
  }

  stats(): Readonly<Record<string, number>> {
    return { ...this.counts, kept: this.kept.size, asked: this.asked.size };
  }

  /** The schema of an id, or why there is none; never rejects, and waits at most `deadlineMs`. */
  async schema(id: number): Promise<RegisteredSchema> {
    const kept = this.kept.get(id);
    if (kept !== undefined) return kept;
    const nowMs = this.clock.monotonicMs();
    const missing = this.missing.get(id);
    if (missing !== undefined && nowMs < missing.untilMs) return missing.schema;
    if (this.down !== undefined && nowMs < this.down.untilMs) return unread(this.down.problem);
    const asked = this.asked.get(id);
    if (asked !== undefined) return asked;
    if (this.asked.size >= schemaRegistryLimits.askedMax) {
      this.counts.refusedBusy++;
      return unread(`${schemaRegistryLimits.askedMax} other schemas are being asked for`);
    }
    const asking = this.ask(id).finally(() => this.asked.delete(id));
    this.asked.set(id, asking);
    return asking;
  }

  private async ask(id: number): Promise<RegisteredSchema> {
    const signal = AbortSignal.timeout(schemaRegistryLimits.deadlineMs);
    try {
      const answer = await this.answer(`/schemas/ids/${id}`, signal);
      if (answer === undefined) return this.forgetful(id, unread(`the schema registry has no schema ${id}`));
      const schema = await this.read(id, answer, signal);
      this.counts.fetched++;
      keep(this.kept, schemaRegistryLimits.keptMax, id, schema);
      return schema;
    } catch (error) {
      if (error instanceof Failure) return this.forgetful(id, unread(`schema ${id}: ${error.message}`));
      this.counts.failed++;
      const problem = `the schema registry gives no answer: ${messageOf(error).slice(0, 120)}`;
      this.down = { problem, untilMs: this.clock.monotonicMs() + schemaRegistryLimits.downMs };
      return unread(problem);
    }
  }

  /** Asked again after a while: it may be registered by then. */
  private forgetful(id: number, schema: RegisteredSchema): RegisteredSchema {
    this.counts.failed++;
    const untilMs = this.clock.monotonicMs() + schemaRegistryLimits.missingMs;
    keep(this.missing, schemaRegistryLimits.missingMax, id, { schema, untilMs });
    return schema;
  }

  private async read(id: number, answer: SchemaAnswer, signal: AbortSignal): Promise<RegisteredSchema> {
    switch (answer.schemaType) {
      case 'AVRO': {
        const references = new Map<string, string>();
        await this.collect(answer.references, references, signal);
        return { kind: 'avro', avro: new AvroJson(answer.schema, [...references.values()]) };
      }
      case 'JSON':
        return { kind: 'json' };
      default:
        return unread(`schema ${id} is ${answer.schemaType.slice(0, 20)}, which is not decoded`);
    }
  }

  /** Each behind those that it refers to itself. */
  private async collect(
    references: readonly SchemaReference[],
    into: Map<string, string>,
    signal: AbortSignal,
    under: readonly string[] = [],
  ): Promise<void> {
    for (const { subject, version } of references) {
      const name = `${subject} ${version}`;
      if (into.has(name)) continue;
      if (under.includes(name) || into.size + under.length >= schemaRegistryLimits.referencesMax)
        throw new Failure(
          'BAD_SCHEMA',
          `it refers to itself, or to more than ${schemaRegistryLimits.referencesMax} others`,
        );
      const path = `/subjects/${encodeURIComponent(subject)}/versions/${version}`;
      const answer = await this.answer(path, signal);
      if (answer === undefined) throw new Failure('BAD_SCHEMA', `the schema registry has no ${name.slice(0, 80)}`);
      await this.collect(answer.references, into, signal, [...under, name]);
      into.set(name, answer.schema);
    }
  }

  /** `undefined`: there is no such schema. Throws a Failure for an answer that is none, else what `fetch` throws. */
  private async answer(path: string, signal: AbortSignal): Promise<SchemaAnswer | undefined> {
    const headers = {
      accept: 'application/vnd.schemaregistry.v1+json, application/json',
      ...(this.authorization !== undefined && { authorization: this.authorization }),
    };
    const response = await fetch(this.base + path, { signal, headers, redirect: 'error' });
    if (response.status === 404) {
      await response.body?.cancel();
      return undefined;
    }
    const text = await boundedBody(response, schemaRegistryLimits.schemaBytesMax);
    if (!response.ok) throw new Error(`status ${response.status}`);
    return answerOf(text);
  }
}

function answerOf(text: string): SchemaAnswer {
  const said = parsed(text) as Partial<Record<keyof SchemaAnswer, unknown>> | null;
  const { schema, schemaType = 'AVRO', references = [] } = said ?? {};
  if (typeof schema !== 'string' || typeof schemaType !== 'string' || !Array.isArray(references))
    throw new Failure('BAD_SCHEMA', 'the answer of the schema registry is no schema');
  for (const each of references as Partial<SchemaReference>[])
    if (typeof each?.subject !== 'string' || !Number.isSafeInteger(each.version))
      throw new Failure('BAD_SCHEMA', 'a reference without subject and version');
  return { schema, schemaType, references: references as SchemaReference[] };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Failure('BAD_SCHEMA', 'the answer of the schema registry is no JSON');
  }
}

/** Who wrote % itself into a URL meant it. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const unread = (problem: string): RegisteredSchema => ({ kind: 'unread', problem });

/** Lets go the oldest where it is full. */
function keep<V>(into: Map<number, V>, max: number, id: number, value: V): void {
  into.delete(id);
  if (into.size >= max) into.delete(into.keys().next().value as number);
  into.set(id, value);
}
