/** Stands for `@node-rs/crc32` in packages. */
export { crc32cSliced as crc32c } from '../../libs/codec/src/crc32c-sliced.ts';
