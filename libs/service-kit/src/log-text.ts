/** Lines for people, from the JSON lines of the logger. */

/** Held lines beyond so many are dropped: nobody reads them all. */
const heldLinesMax = 1_000;

/** Writes each line as a person reads it; the quiet ones are held back until `release`. */
export class TextLines {
  private held: string[] | undefined;

  constructor(private readonly output: { write(text: string): unknown }) {}

  write(json: string): void {
    const { level, text } = lineOf(json);
    const isQuiet = level === 'info' || level === 'debug';
    if (this.held === undefined || !isQuiet) this.output.write(text);
    else if (this.held.length < heldLinesMax) this.held.push(text);
  }

  hold(): void {
    this.held ??= [];
  }

  release(): void {
    const lines = this.held ?? [];
    this.held = undefined;
    for (const line of lines) this.output.write(line);
  }
}

/** `09:41:07.250 warn   n2          a unit is full  unit=u07 bytes=268435456`, then the lines of a stack, if there is one. */
export function logText(json: string): string {
  return lineOf(json).text;
}

function lineOf(json: string): { readonly level: string; readonly text: string } {
  const { time, level, part, message, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const clock = new Date(Number(time)).toISOString().slice(11, 23);
  const facts = Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`);
  const head = `${clock} ${String(level).padEnd(5)}  ${String(part).padEnd(10)}  ${printable(String(message))}`;
  const line = [head, facts.join(' ')].filter((each) => each !== '').join('  ');
  return { level: String(level), text: `${[line, ...stackOf(fields['error'])].join('\n')}\n` };
}

function shown(value: unknown): string {
  if (isError(value))
    return shown(value.code === undefined ? value.message : `${value.message} [${String(value.code)}]`);
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? printable(value) : JSON.stringify(printable(value));
  return JSON.stringify(value);
}

/** Where an error came from, unless it has a code: that says it already. */
function stackOf(error: unknown): string[] {
  if (!isError(error) || error.code !== undefined || typeof error.stack !== 'string') return [];
  const frames = error.stack.split('\n').filter((line) => line.trimStart().startsWith('at '));
  return frames.map((line) => `    ${line.trim()}`);
}

interface ErrorFields {
  readonly message: string;
  readonly code?: unknown;
  readonly stack?: unknown;
}

function isError(value: unknown): value is ErrorFields {
  return typeof value === 'object' && value !== null && 'kind' in value && 'stack' in value && 'message' in value;
}

/** Without characters that would break the line or steer the terminal. */
function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (c) => JSON.stringify(c).slice(1, -1));
}
