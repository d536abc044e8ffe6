import { messageOf } from '@levee/kernel';
import { reject, type Rejection, type RejectionCode } from './rejection';

/** Characters of a command's payload. */
export const payloadLengthMax = 524_288;

/** Bounds of an integer field, inclusive. */
export interface IntegerBounds {
  readonly min: number;
  readonly max: number;
  /** For messages, such as `ms` or `bytes`. */
  readonly unit?: string;
}

/**
 * Reads the fields of a command's payload. The first thing wrong is kept in `problem`, and what is read afterwards is
 * a placeholder: check `problem` once, after reading, before using anything.
 */
export class PayloadFields {
  private found: Rejection | undefined;
  private readonly asked = new Set<string>();

  private constructor(
    private readonly where: string,
    private readonly fields: Readonly<Record<string, unknown>>,
    private readonly wrongCode: RejectionCode,
  ) {}

  static parse(kind: string, payload: string): PayloadFields | Rejection {
    let value: unknown;
    try {
      value = JSON.parse(payload);
    } catch (error) {
      return reject('BAD_COMMAND', `the payload of ${kind} is not JSON: ${messageOf(error).slice(0, 200)}`);
    }
    return isObject(value)
      ? new PayloadFields(kind, value, 'BAD_COMMAND')
      : reject('BAD_COMMAND', `the payload of ${kind} must be a JSON object, not ${shown(value)}`);
  }

  /** The same fields, of which a wrong one is reported with `code`. */
  withCode(code: RejectionCode): PayloadFields {
    return new PayloadFields(this.where, this.fields, code);
  }

  get problem(): Rejection | undefined {
    return this.found;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.fields, name) && this.fields[name] !== null && this.fields[name] !== undefined;
  }

  /** The field is there and null: said, not left out. Counts as read. */
  isNull(name: string): boolean {
    return this.take(name) === null;
  }

  /** The value as it came, `undefined` when there is none. */
  raw(name: string): unknown {
    return Object.hasOwn(this.fields, name) ? this.take(name) : undefined;
  }

  text(name: string, lengthMax = 256): string {
    const value = this.take(name);
    if (typeof value === 'string' && value.length > 0 && value.length <= lengthMax) return value;
    this.wrong(name, value, `a text of 1 to ${lengthMax} characters`);
    return '';
  }

  integer(name: string, bounds: IntegerBounds): number {
    const value = this.take(name);
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= bounds.min && value <= bounds.max)
      return value;
    const unit = bounds.unit === undefined ? '' : ` ${bounds.unit}`;
    this.wrong(name, value, `an integer from ${bounds.min} to ${bounds.max}${unit}`);
    return bounds.min;
  }

  choice<T extends string>(name: string, allowed: readonly [T, ...T[]]): T {
    const value = this.take(name);
    const chosen = allowed.find((one) => one === value);
    if (chosen === undefined) this.wrong(name, value, `one of ${allowed.join(', ')}`);
    return chosen ?? allowed[0];
  }

  flag(name: string): boolean {
    const value = this.take(name);
    if (typeof value !== 'boolean') this.wrong(name, value, 'true or false');
    return value === true;
  }

  /** The value of an optional field, read by `read` when it is there and not null, else `otherwise`. */
  optional<T, D>(name: string, read: (name: string) => T, otherwise: D): T | D {
    if (this.has(name)) return read(name);
    this.asked.add(name);
    return otherwise;
  }

  texts(name: string, countMax: number): string[] {
    const value = this.list(name, countMax);
    const texts = value.filter((one): one is string => typeof one === 'string' && one.length > 0 && one.length <= 256);
    if (texts.length !== value.length) this.wrong(name, value, 'a list of texts');
    return texts;
  }

  /** Whole numbers from 0. */
  integers(name: string, countMax: number): number[] {
    const value = this.list(name, countMax);
    const numbers = value.filter((one): one is number => Number.isSafeInteger(one) && (one as number) >= 0);
    if (numbers.length !== value.length) this.wrong(name, value, 'a list of whole numbers from 0');
    return numbers;
  }

  /** One object, read by `read`; `otherwise` when it is none. */
  object<T>(name: string, otherwise: T, read: (fields: PayloadFields) => T): T {
    const value = this.take(name);
    if (!isObject(value)) {
      this.wrong(name, value, 'an object');
      return otherwise;
    }
    return this.readObject(name, value, read);
  }

  objects<T>(name: string, countMax: number, read: (fields: PayloadFields) => T): T[] {
    const read1 = (one: unknown, i: number): T[] => {
      if (this.found !== undefined) return [];
      if (!isObject(one)) {
        this.wrong(`${name}[${i}]`, one, 'an object');
        return [];
      }
      return [this.readObject(`${name}[${i}]`, one, read)];
    };
    return this.list(name, countMax).flatMap(read1);
  }

  /** Refuses every field that was not read. */
  refuseOthers(code: RejectionCode, noun: string): void {
    for (const name of Object.keys(this.fields)) {
      if (this.asked.has(name)) continue;
      this.found ??= reject(
        code,
        `${this.where} has no ${noun} '${name.slice(0, 80)}': there are ${[...this.asked].join(', ')}`,
      );
    }
  }

  refuse(rejection: Rejection): void {
    this.found ??= rejection;
  }

  private readObject<T>(name: string, value: Readonly<Record<string, unknown>>, read: (fields: PayloadFields) => T): T {
    const fields = new PayloadFields(`${this.where}.${name}`, value, this.wrongCode);
    const found = read(fields);
    fields.refuseOthers('BAD_COMMAND', 'field');
    this.found ??= fields.problem;
    return found;
  }

  private list(name: string, countMax: number): readonly unknown[] {
    const value = this.take(name);
    if (Array.isArray(value) && value.length <= countMax) return value as readonly unknown[];
    this.wrong(name, value, `a list of at most ${countMax}`);
    return [];
  }

  private take(name: string): unknown {
    this.asked.add(name);
    return Object.hasOwn(this.fields, name) ? this.fields[name] : undefined;
  }

  private wrong(name: string, value: unknown, expected: string): void {
    this.found ??= reject(this.wrongCode, `${this.where}.${name} is ${shown(value)}, it must be ${expected}`);
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  let text: string;
  try {
    text = JSON.stringify(value);
  } catch {
    return 'nested too deeply';
  }
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}
