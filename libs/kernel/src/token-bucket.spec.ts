import { TokenBucket } from './token-bucket';

it('a token bucket allows so many a second, and as many at once', () => {
  let now = 0;
  const bucket = new TokenBucket(10, () => now);
  const take = (): number => Array.from({ length: 100 }, () => bucket.take()).filter(Boolean).length;
  expect(take()).toBe(10);
  now = 500;
  expect(take()).toBe(5);
  now = 100_000;
  expect(take()).toBe(10);
});
