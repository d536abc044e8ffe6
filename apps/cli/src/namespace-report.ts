import { isoTime } from '@levee/kernel';
import type { Output, Row } from './output';
import { rowsOf } from './rows';

/** The whole configuration for people: facts, then settings as a table. One line a chunk comes from `levee routes`. */
export async function printDescription(output: Output, described: Row): Promise<void> {
  if (output.format !== 'text') return output.value(described);
  const { placement: _, knobs, units: __, createdAtMs, ...rest } = described;
  if (knobs === undefined) return output.value(rest);
  const rows = rowsOf(knobs, 'knobs');
  const elsewhere = new Set([...rows.map((row) => row['knob']), ...ofThePlanners]);
  const facts = Object.entries(rest).filter(([name]) => !elsewhere.has(name));
  const created = typeof createdAtMs === 'number' ? [['created', isoTime(createdAtMs)]] : [];
  await output.value(Object.fromEntries([...facts.slice(0, 4), ...created, ...facts.slice(4)]));
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
    const knobs = created['knobs'] === undefined ? [] : rowsOf(created['knobs'], 'knobs').map(shownKnob);
    return output.table(knobs, ['knob', 'value', 'changes']);
  }
  await output.raw(`Redis clients name it as the user of AUTH, HTTP in the path: /v1/kv/${String(name)}/<key>\n`);
  await output.raw(
    `levee namespace describe ${String(name)} says how it is set, and how Kafka producers write to it\n`,
  );
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
