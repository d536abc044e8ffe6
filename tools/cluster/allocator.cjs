/**
 * How glibc's malloc gives memory back, which it reads before a process begins: the image sets the same. Left to itself
 * it raises the size from which a buffer has pages of its own with each large one that is freed, up to 32 MiB, and makes
 * eight heaps for each core. What is freed between two small things that stay then stays with the process too.
 */
const allocator = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
};

module.exports = { allocator };
