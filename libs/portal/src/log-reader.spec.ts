import { asOffset, asPartition } from '@levee/kernel';
import type { Log } from '@levee/log';
import { logReaderLimits, LogReader } from './log-reader';

const bounds = [{ partition: asPartition(0), startOffset: asOffset(0), endOffset: asOffset(10) }];
const log = { offsets: () => Promise.resolve(bounds) } as unknown as Log;
const query = { topic: 't', partition: 0, from: 0, follow: true, reader: '10.0.0.1' };

it('readers who hang up before their first line keep no place, whenever they do', async () => {
  const reader = new LogReader(log);
  const { followersOfOneMax } = logReaderLimits;
  for (let i = 0; i < followersOfOneMax + 1; i++) await reader.open({ ...query, signal: AbortSignal.abort() });
  const later = Array.from({ length: followersOfOneMax }, () => new AbortController());
  for (const { signal } of later) await reader.open({ ...query, signal });
  const one = { ...query, signal: new AbortController().signal };
  await expect(reader.open(one)).rejects.toMatchObject({ code: 'LIMIT' });
  later[0]?.abort();
  await reader.open(one);
});

it('of two who arrive at once, one takes the last place, of its address and of all', async () => {
  const { followersMax, followersOfOneMax } = logReaderLimits;
  const reader = new LogReader(log);
  const open = (address: string) => reader.open({ ...query, reader: address, signal: new AbortController().signal });
  const outcomes = async (addresses: readonly string[]): Promise<string[]> =>
    (await Promise.allSettled(addresses.map(open))).map(({ status }) => status).sort();
  await outcomes(Array.from({ length: followersOfOneMax - 1 }, () => 'a'));
  expect(await outcomes(['a', 'a'])).toEqual(['fulfilled', 'rejected']);
  await outcomes(Array.from({ length: followersMax - followersOfOneMax - 1 }, () => 'b'));
  expect(await outcomes(['c', 'd'])).toEqual(['fulfilled', 'rejected']);
});
