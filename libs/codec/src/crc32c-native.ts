import { crc32c as native } from '@node-rs/crc32';
import { crc32cSliced } from './crc32c-sliced';

/**
 * CRC-32C of `bytes`, unsigned 32 bit; equal to `crc32c` of the kernel, as fast as can be: by the processor's own
 * instruction, except that for few bytes the way into native code would cost more than the work.
 * Pass the CRC of what precedes them as `previous` to continue.
 */
export function crc32cNative(bytes: Uint8Array, previous = 0): number {
  if (bytes.length <= shortBytesMax) return crc32cSliced(bytes, previous);
  return previous === 0 ? native(bytes) : native(bytes, previous);
}

/** Measured: about 55 ns against 90 ns for 100 bytes, equal at some 200. */
const shortBytesMax = 192;
