import { asOffset, asPartition, crc32c, type Offset, type Partition } from '@levee/kernel';
import { fromBase64Url, toBase64Url } from './base64url';
import { isPartitionCount } from './slot';

/** What a session has written or seen: per touched partition the next offset a replica must have reached. */
export interface SessionToken {
  readonly namespace: string;
  /** Topic of the binlog; offsets of another binlog (a re-created namespace) mean nothing. */
  readonly binlog: string;
  readonly partitions: number;
  /** Latest time by which its reads judged expiry, ms since 1970; 0 = it has read nothing. */
  readonly clockMs: number;
  /** Ascending by partition, each partition once. */
  readonly positions: readonly SessionPosition[];
}

export interface SessionPosition {
  readonly partition: Partition;
  readonly nextOffset: Offset;
}

/** The caller's token is not one of ours, or is damaged. */
export interface SessionTokenProblem {
  readonly problem: string;
}

/** Characters of the longest token: 1,000 partitions at the highest offsets, with room; below Node's header limit. */
export const sessionTokenLengthMax = 14_000;

const version = 1;
const crcBytes = 4;

/**
 * Text for headers and URLs (base64url): version byte, namespace, binlog, partition count, count of positions and
 * expiry clock (ms since 1970), then per touched partition the distance from the previous one and the next offset as LEB128, then CRC-32C of all before it, little endian.
 */
export function encodeSessionToken(token: SessionToken): string {
  const out: number[] = [version];
  putText(out, token.namespace);
  putText(out, token.binlog);
  putNumber(out, token.partitions);
  putNumber(out, token.positions.length);
  putNumber(out, token.clockMs);
  let previous = -1;
  for (const { partition, nextOffset } of token.positions) {
    putNumber(out, partition - previous - 1);
    putNumber(out, nextOffset);
    previous = partition;
  }
  const crc = crc32c(Uint8Array.from(out));
  for (let shift = 0; shift < 32; shift += 8) out.push((crc >>> shift) & 0xff);
  return toBase64Url(Uint8Array.from(out));
}

/** Never throws: a token comes from strangers. */
export function decodeSessionToken(text: string): SessionToken | SessionTokenProblem {
  if (text.length > sessionTokenLengthMax)
    return problem(`it has ${text.length} characters, the longest has ${sessionTokenLengthMax}`);
  const bytes = fromBase64Url(text);
  if (bytes === undefined) return problem('it is not base64url');
  if (bytes.length <= crcBytes) return problem('it is too short');
  if (bytes[0] !== version) return problem(`its version is ${bytes[0]}, this process reads version ${version}`);
  const body = bytes.subarray(0, bytes.length - crcBytes);
  const crc = crc32c(body);
  for (let i = 0; i < crcBytes; i++)
    if (bytes[body.length + i] !== ((crc >>> (8 * i)) & 0xff))
      return problem('its checksum does not match: it was cut');
  const input = new TokenBytes(body);
  const namespace = input.text();
  const binlog = input.text();
  const partitions = input.number();
  const count = input.number();
  const clockMs = input.number();
  if (namespace === undefined || binlog === undefined || partitions === undefined) return problem('it ends too early');
  if (count === undefined || clockMs === undefined) return problem('it ends too early');
  if (!isPartitionCount(partitions)) return problem(`it names ${partitions} partitions`);
  if (count > partitions) return problem(`it names ${count} positions in ${partitions} partitions`);
  const positions: SessionPosition[] = [];
  let partition = -1;
  for (let i = 0; i < count; i++) {
    const distance = input.number();
    const nextOffset = input.number();
    if (distance === undefined || nextOffset === undefined) return problem('it ends too early');
    partition += distance + 1;
    if (partition >= partitions) return problem(`it names partition ${partition} of ${partitions}`);
    positions.push({ partition: asPartition(partition), nextOffset: asOffset(nextOffset) });
  }
  return input.atEnd ? { namespace, binlog, partitions, clockMs, positions } : problem('something follows its end');
}

const problem = (reason: string): SessionTokenProblem => ({
  problem: `this is no session token: ${reason}. Send the last Levee-Session you received, or none to start anew`,
});

function putText(out: number[], text: string): void {
  putNumber(out, text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) throw new RangeError(`names of namespaces and topics are ASCII, not '${text}'`);
    out.push(code);
  }
}

/** LEB128 of a safe integer >= 0; by division, since shifts end at 32 bits. */
function putNumber(out: number[], value: number): void {
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) out.push((rest % 0x80) | 0x80);
  out.push(rest);
}

class TokenBytes {
  private at = 1;

  constructor(private readonly bytes: Uint8Array) {}

  get atEnd(): boolean {
    return this.at === this.bytes.length;
  }

  number(): number | undefined {
    let value = 0;
    for (let scale = 1; scale <= Number.MAX_SAFE_INTEGER; scale *= 0x80) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) return undefined;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return Number.isSafeInteger(value) ? value : undefined;
    }
    return undefined;
  }

  text(): string | undefined {
    const length = this.number();
    if (length === undefined || this.at + length > this.bytes.length) return undefined;
    let text = '';
    for (const end = this.at + length; this.at < end; this.at++) {
      const code = this.bytes[this.at] as number;
      // It could not be encoded again.
      if (code > 0x7f) return undefined;
      text += String.fromCharCode(code);
    }
    return text;
  }
}
