import { isoTime } from '@levee/kernel';
import type { Output, Row } from './output';
import { rowsOf } from './rows';

/** The whole configuration for people: facts, then settings as a table. One line a chunk comes from `levee routes`. */
export async function printDescription(output: Output, described: Row): Promise<void> {
  if (output.format !== 'text') return output.value(described);
  const { placement: _, knobs, units: __, createdAtMs, acknowledgements = [], ...rest } = described;
  if (knobs === undefined) return output.value(rest);
  const rows = rowsOf(knobs, 'knobs');
  const isFrozen = typeof rest['frozenBy'] === 'string';
  const elsewhere = new Set([...rows.map((row) => row['knob']), ...ofThePlanners]);
  const isFork = typeof rest['forkedFrom'] === 'string';
  const isSwapped = typeof rest['bornAs'] === 'string';
  const isAging = rest['expireWithRetention'] === true;
  const isOfAnother = (name: string): boolean =>
    elsewhere.has(name) ||
    (ofASwap.has(name) && !isSwapped) ||
    (ofRetention.has(name) && !isAging) ||
    (ofAFreeze.has(name) && !isFrozen) ||
    (name.startsWith('forked') && !isFork);
  const facts = Object.entries(rest).filter(([name]) => !isOfAnother(name));
  const created = typeof createdAtMs === 'number' ? [['created', isoTime(createdAtMs)]] : [];
  const acknowledged = rowsOf(acknowledgements, 'acknowledgements').map(acknowledgementText);
  const more = acknowledged.length === 0 ? [] : [['acknowledged', acknowledged]];
  await output.value(Object.fromEntries([...facts.slice(0, 4), ...created, ...facts.slice(4), ...more]));
  await output.raw('\n');
  await output.table(rows.map(shownKnob), ['knob', 'value', 'changes', 'allowed']);
}

/** What a creation took, or would take, and where to go on. */
export async function printCreation(output: Output, created: Row, { dryRun }: { dryRun: boolean }): Promise<void> {
  if (output.format !== 'text') return output.value(created);
  if (dryRun) await output.raw('dry run: nothing is changed\n');
  const { name, units } = created;
  if (units !== undefined) await output.raw(`${unitsLine(created, units as CreationUnits, dryRun)}\n`);
  if (dryRun) {
    if (created['source'] !== undefined) await printSource(output, created['source'] as Row);
    const knobs = created['knobs'] === undefined ? [] : rowsOf(created['knobs'], 'knobs').map(shownKnob);
    return output.table(knobs, ['knob', 'value', 'changes']);
  }
  await output.raw(`Redis clients name it as the user of AUTH, HTTP in the path: /v1/kv/${String(name)}/<key>\n`);
  await output.raw(
    `levee namespace describe ${String(name)} says how it is set, and how Kafka producers write to it\n`,
  );
}

/** What was seen of the topic, and what to type. */
async function printSource(
  output: Output,
  { sampled, refused, command, likelyAlgorithms, hiddenAfterMs, ...topic }: Row,
): Promise<void> {
  await output.value({ ...topic, ...(sampled as Row) });
  const likely = likelyAlgorithms as readonly string[];
  const byWhat = likely.length === 0 ? 'no algorithm, or too few keys were seen' : likely.join(', ');
  await output.raw(`keys stand where they are by: ${byWhat}\n`);
  if (typeof hiddenAfterMs === 'number')
    await output.raw(
      `the topic forgets by age: with --expire-with-retention a value counts as expired ${valueText('Ms', hiddenAfterMs)} after ` +
        'the time of its record, a margin before the topic may remove it\n',
    );
  for (const reason of refused as readonly string[]) await output.raw(`would be refused: ${reason}\n`);
  await output.raw(`${String(command)}\n\n`);
}

/** What was altered, as it is now. */
export async function printAlteration(output: Output, altered: Row, named: readonly string[]): Promise<void> {
  if (output.format !== 'text') return output.value(altered);
  const rows = altered['knobs'] === undefined ? [] : rowsOf(altered['knobs'], 'knobs');
  const changed = rows.filter(({ knob }) => named.includes(String(knob)));
  for (const { knob, value } of changed.map(shownKnob))
    await output.raw(`${String(altered['name'])}: ${String(knob)} is ${value ?? 'not limited'}\n`);
  if (changed.length < named.length) await output.raw(`${String(altered['name'])} is altered\n`);
}

/** Shown of a namespace that was rewound, or of what it was. */
const ofASwap: ReadonlySet<string> = new Set(['bornAs', 'bornNumber', 'swappedWith', 'swappedAtMs', 'leftPositions']);
/** Shown of a namespace whose values expire with its topic's retention. */
const ofRetention: ReadonlySet<string> = new Set(['retentionMs', 'hiddenAfterMs']);
/** Shown while its writes are frozen. */
const ofAFreeze = new Set([
  'frozenBy',
  'frozenReason',
  'frozenAtMs',
  'frozenSeq',
  'freezeConfirmedSeq',
  'freezeWithout',
]);

/** Partitions that one line names. */
const partitionsNamedMax = 16;

/** Bad records that are dealt with, and who said so. */
function acknowledgementText({ reason, positions, by, principal, why, acknowledgedAtMs }: Row): string {
  const last = (positions as readonly number[]).flatMap((next, i) => (next === 0 ? [] : [`${i}:${next - 1}`]));
  const rest = last.length > partitionsNamedMax ? ` and ${last.length - partitionsNamedMax} more` : '';
  const who = by === null ? String(principal) : `${String(by)} (given as ${String(principal)})`;
  const upTo = `up to ${last.slice(0, partitionsNamedMax).join(', ')}${rest}`;
  return `${String(reason ?? 'whatever is wrong')} ${upTo}, by ${who} at ${isoTime(Number(acknowledgedAtMs))}: ${String(why)}`;
}

/** Marks of decisions, which nobody sets. */
const ofThePlanners = ['nextChunk', 'change', 'seq', 'term'];

/** A large number with its unit, for people. */
function shownKnob(row: Row): Row & { readonly knob: unknown; readonly value: string | null } {
  const { knob, value, fixedBecause } = row;
  return { ...row, knob, value: valueText(String(knob), value), changes: fixedBecause === null ? 'yes' : 'no' };
}

function valueText(knob: string, value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(',');
  const known = knob.endsWith('Ms') ? times : knob.endsWith('Bytes') ? sizes : [];
  if (typeof value !== 'number') return typeof value === 'string' ? value : JSON.stringify(value);
  const unit = known.find(([size]) => value >= size && value % size === 0);
  return unit === undefined ? String(value) : `${value / unit[0]}${unit[1]}`;
}

const times = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1_000, 's'],
  [1, 'ms'],
] as const;
const sizes = [
  [2 ** 40, 'TiB'],
  [2 ** 30, 'GiB'],
  [2 ** 20, 'MiB'],
  [2 ** 10, 'KiB'],
  [1, 'B'],
] as const;

interface CreationUnits {
  readonly taken: number;
  readonly free: number;
  readonly spare: number;
}

function unitsLine({ name, chunks, replicas }: Row, { taken, free, spare }: CreationUnits, dryRun: boolean): string {
  const what = `${counted(taken, 'unit')} for ${counted(Number(chunks), 'chunk')} with ${counted(Number(replicas), 'replica')} each`;
  const kept = `${spare} of them kept for healing, moves and splits`;
  return `${String(name)} ${dryRun ? 'would take' : 'has'} ${what}; ${free} ${dryRun ? 'would be left' : 'are left'}, ${kept}`;
}

const counted = (number: number, what: string): string => `${number} ${what}${number === 1 ? '' : 's'}`;
