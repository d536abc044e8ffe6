import { type Terminal, write } from './terminal';
import { toYaml } from './yaml';

export type Format = 'text' | 'json' | 'yaml';
export const formats: readonly Format[] = ['text', 'json', 'yaml'];

export type Row = Readonly<Record<string, unknown>>;

/** Prints results in the format asked for: one value, a table, or a stream of rows. */
export class Output {
  constructor(
    private readonly terminal: Terminal,
    readonly format: Format,
  ) {}

  /** One value; `text` is its form for people, by default that of YAML. */
  async value(value: unknown, text?: string): Promise<void> {
    if (this.format === 'text' && text !== undefined) await this.raw(`${text}\n`);
    else await this.raw(documentOf(value, this.format));
  }

  /** A list of alike rows; people get `columns` of it as a table. */
  async table(rows: readonly Row[], columns: readonly string[]): Promise<void> {
    if (this.format === 'text') await this.raw(tableText(rows, columns));
    else await this.value(rows);
  }

  /** One of many rows that may never end: a line of text, a line of JSON, or an item of a YAML list. */
  async row(row: Row, text: string): Promise<void> {
    if (this.format === 'json') await this.raw(`${JSON.stringify(row)}\n`);
    else if (this.format === 'yaml') await this.raw(toYaml([row]));
    else await this.raw(`${text}\n`);
  }

  /** Rows of one list, as they come: in JSON and YAML they are one document. `end` ends it. */
  list(): { row(row: Row, text: string): Promise<void>; end(): Promise<void> } {
    let rows = 0;
    const { format } = this;
    if (format === 'text') return { row: (_, text) => this.raw(`${text}\n`), end: () => Promise.resolve() };
    return {
      row: async (row) => {
        const before = rows++ === 0 ? '[\n' : ',\n';
        await this.raw(format === 'json' ? `${before}  ${JSON.stringify(row)}` : toYaml([row]));
      },
      end: async () => {
        if (rows === 0) await this.raw('[]\n');
        else if (format === 'json') await this.raw('\n]\n');
      },
    };
  }

  async raw(chunk: string | Uint8Array): Promise<void> {
    await write(this.terminal.stdout, chunk);
  }

  /** For people, never data. */
  async note(text: string): Promise<void> {
    await write(this.terminal.stderr, `${text}\n`);
  }
}

/** One value as a document; people get YAML. */
export function documentOf(value: unknown, format: Format): string {
  return format === 'json' ? `${JSON.stringify(value, null, 2)}\n` : toYaml(value);
}

function tableText(rows: readonly Row[], columns: readonly string[]): string {
  const cells = [columns.map(title), ...rows.map((row) => columns.map((column) => cell(row[column])))];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => (line[i] ?? '').length)));
  const text = cells.map((line) =>
    line
      .map((each, i) => each.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${text.join('\n')}\n`;
}

/** `capacityBytes` becomes `CAPACITY BYTES`. */
const title = (column: string): string => column.replace(/([a-z])([A-Z])/g, '$1 $2').toUpperCase();

function cell(value: unknown): string {
  if (value === null || value === undefined) return '-';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return oneLine(text);
}

/** Without characters that would break a line or steer the terminal. */
export function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (c) => {
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
