import type { SchemaVersion } from '@levee/events';
import { assert, defined } from '@levee/kernel';
import { CodecFailure } from './codec-failure';
import { fingerprintHex } from './fingerprint';
import { frameBytes, RecordType } from './record-type';

/** Turns a record of version n - 1 into one of version n. Pure; `never` because every version has its own shape. */
export interface Upcast {
  readonly name: string;
  readonly toVersion: number;
  readonly upcast: (older: never) => unknown;
}

/** A record as it was written, in the shape of the newest version. */
export interface DecodedRecord {
  readonly name: string;
  /** The version it was written in. */
  readonly version: number;
  readonly record: unknown;
}

/**
 * All versions of all records. Reads every version and upcasts to the newest; writes the version asked for, since a
 * new one may be written only once every registered process reads it.
 */
export class RecordRegistry {
  /** By the low half of the fingerprint, which the constructor shows to be unique. */
  private readonly byLowPrint = new Map<number, RecordType>();
  private readonly byName = new Map<string, RecordType[]>();
  /** From each version to the newest, one after the other. */
  private readonly roads = new Map<RecordType, readonly Upcast['upcast'][]>();

  constructor(versions: readonly SchemaVersion[], upcasts: readonly Upcast[] = []) {
    const toVersions = new Map(upcasts.map(({ name, toVersion, upcast }) => [`${name} v${toVersion}`, upcast]));
    for (const source of versions) {
      const type = new RecordType(source);
      const label = labelOf(type);
      const siblings = this.byName.get(type.name) ?? [];
      assert(type.version === siblings.length + 1, `${label} comes after ${siblings.length} versions`);
      assert(type.version === 1 || toVersions.has(label), `${label} has no upcast from the version before`);
      this.byName.set(type.name, [...siblings, type]);
      const lowPrint = type.frame.readUInt32LE(2);
      const other = this.byLowPrint.get(lowPrint);
      assert(!other, `${label} cannot be told from ${other?.name} v${other?.version}: change a field`);
      this.byLowPrint.set(lowPrint, type);
    }
    for (const types of this.byName.values())
      for (const [i, type] of types.entries())
        this.roads.set(
          type,
          types.slice(i + 1).map((newer) => toVersions.get(labelOf(newer)) as Upcast['upcast']),
        );
  }

  /** Framed bytes of `value` in `version`, by default the newest. Throws InvariantViolation for a wrong value. */
  encode(name: string, value: unknown, version?: number): Buffer {
    return this.typeOf(name, version).encode(value);
  }

  /** Any record. Throws CodecFailure: TRUNCATED, BAD_FRAME, UNKNOWN_SCHEMA, MALFORMED. */
  decode(bytes: Uint8Array): DecodedRecord {
    const type = this.typeOfFrame(bytes);
    return { name: type.name, version: type.version, record: this.upToDate(type, type.decodeBody(bytes, frameBytes)) };
  }

  /** A record of this name. Throws what `decode` throws, and WRONG_RECORD. */
  decodeAs(name: string, bytes: Uint8Array): unknown {
    const type = this.typeOfFrame(bytes);
    if (type.name !== name)
      throw new CodecFailure('WRONG_RECORD', `a ${type.name} v${type.version} where a ${name} was expected`);
    return this.upToDate(type, type.decodeBody(bytes, frameBytes));
  }

  /** The type of a body without our frame, for framings of others. */
  decodeBodyAs(name: string, bytes: Uint8Array, options: { start: number; version: number }): unknown {
    const type = this.typeOf(name, options.version);
    return this.upToDate(type, type.decodeBody(bytes, options.start));
  }

  typeOf(name: string, version?: number): RecordType {
    const versions = defined(this.byName.get(name), `schema of ${name}`);
    return defined(versions.at(version === undefined ? -1 : version - 1), `schema of ${name} v${version}`);
  }

  /** What the records of this name begin with, by version. */
  framesOf(name: string): readonly Buffer[] {
    return defined(this.byName.get(name), `schema of ${name}`).map(({ frame }) => frame);
  }

  /** The version whose frame `bytes` begins with. Throws CodecFailure: TRUNCATED, BAD_FRAME, UNKNOWN_SCHEMA. */
  typeOfFrame(bytes: Uint8Array): RecordType {
    if (bytes.length < frameBytes) {
      const begun = (bytes.length < 1 || bytes[0] === 0xc3) && (bytes.length < 2 || bytes[1] === 0x01);
      if (begun) throw new CodecFailure('TRUNCATED', `${bytes.length} bytes, a frame alone has ${frameBytes}`);
    }
    if (bytes[0] !== 0xc3 || bytes[1] !== 0x01) throw badFrame(bytes);
    const type = this.byLowPrint.get(lowPrintOf(bytes));
    if (type && samePrint(type.frame, bytes)) return type;
    const view = new DataView(bytes.buffer, bytes.byteOffset, frameBytes);
    const fingerprint = fingerprintHex(view.getBigUint64(2, true));
    throw new CodecFailure(
      'UNKNOWN_SCHEMA',
      `no schema known here has the fingerprint ${fingerprint}: a newer version of Levee may read it`,
      { details: { fingerprint } },
    );
  }

  private upToDate(type: RecordType, record: unknown): unknown {
    let current = record;
    for (const upcast of this.roads.get(type) as readonly Upcast['upcast'][]) current = upcast(current as never);
    return current;
  }
}

const labelOf = ({ name, version }: RecordType): string => `${name} v${version}`;

const lowPrintOf = (bytes: Uint8Array): number =>
  ((bytes[2] as number) | ((bytes[3] as number) << 8) | ((bytes[4] as number) << 16) | ((bytes[5] as number) << 24)) >>>
  0;

const samePrint = (frame: Uint8Array, bytes: Uint8Array): boolean =>
  frame[6] === bytes[6] && frame[7] === bytes[7] && frame[8] === bytes[8] && frame[9] === bytes[9];

function badFrame(bytes: Uint8Array): CodecFailure {
  const start = Buffer.from(bytes.subarray(0, 8)).toString('hex');
  return new CodecFailure('BAD_FRAME', `begins with ${start}, not with c301 and a fingerprint`);
}
