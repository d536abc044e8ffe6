import { crc32c } from '@node-rs/crc32';

/**
 * CRC-32C of `bytes` by the processor's own instruction, unsigned 32 bit; equal to `crc32c` of the kernel.
 * Pass the CRC of what precedes them as `previous` to continue.
 */
export function crc32cNative(bytes: Uint8Array, previous = 0): number {
  return previous === 0 ? crc32c(bytes) : crc32c(bytes, previous);
}
