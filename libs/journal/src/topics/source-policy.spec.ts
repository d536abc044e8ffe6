import type { TopicDescription } from '@levee/log';
import { type SourceKeeping, sourcePolicyProblem } from './source-policy';

const week = '604800000';
const settings = {
  'max.message.bytes': '1048588',
  'unclean.leader.election.enable': 'false',
  'retention.ms': week,
  'retention.bytes': '-1',
  'delete.retention.ms': '86400000',
};
const asIs: SourceKeeping = { expireWithRetention: false, retentionMs: null, writable: false };
const aging: SourceKeeping = { ...asIs, expireWithRetention: true };
const written: SourceKeeping = { ...asIs, writable: true };
const bound: SourceKeeping = { ...aging, retentionMs: Number(week) };

test.each<[string, SourceKeeping, Record<string, string>, RegExp | undefined]>([
  ['compacted', asIs, { 'cleanup.policy': 'compact' }, undefined],
  [
    'one that forgets by age: named with both ways out',
    asIs,
    { 'cleanup.policy': 'delete' },
    /^cleanup\.policy of prices is delete: it forgets records that are older than retention\.ms=604800000, .*--expire-with-retention .*--add-config cleanup\.policy=compact$/s,
  ],
  ['both', asIs, { 'cleanup.policy': 'compact,delete' }, /is compact,delete: it forgets records that are older/],
  ['no policy told: it is delete', asIs, {}, /^cleanup\.policy of prices is delete/],
  [
    'one that forgets by size',
    asIs,
    { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '1000' },
    /forgets the oldest records above retention\.bytes=1000, .*With retention\.bytes=-1 it could be served with --expire/,
  ],
  ['one that keeps everything', asIs, { 'cleanup.policy': 'delete', 'retention.ms': '-1' }, undefined],
  [
    'one that keeps everything, as Java says it',
    asIs,
    { 'cleanup.policy': 'delete', 'retention.ms': '9223372036854775807' },
    undefined,
  ],
  [
    'nothing to expire: kept for ever, as Java says it',
    aging,
    { 'cleanup.policy': 'delete', 'retention.ms': '9223372036854775807' },
    /^retention\.ms of prices is .*: it keeps every record.*leave out --expire-with-retention$/,
  ],
  [
    'bound: for ever since, as Java says it',
    bound,
    { 'cleanup.policy': 'delete', 'retention.ms': '9223372036854775807' },
    /and it was 604800000.*nothing wrong is served/,
  ],
  [
    'compacted, with tombstones gone soon',
    asIs,
    { 'cleanup.policy': 'compact', 'delete.retention.ms': '1' },
    /at least 600000/,
  ],
  ['by age', aging, { 'cleanup.policy': 'delete' }, undefined],
  ['by age and compacted', aging, { 'cleanup.policy': ' compact , delete ' }, undefined],
  [
    'by age and compacted, with tombstones gone soon',
    aging,
    { 'cleanup.policy': 'compact,delete', 'delete.retention.ms': '1' },
    /^delete\.retention\.ms of prices is 1/,
  ],
  ['nothing to expire: compacted', aging, { 'cleanup.policy': 'compact' }, /leave out --expire-with-retention$/],
  [
    'nothing to expire: kept for ever',
    aging,
    { 'cleanup.policy': 'delete', 'retention.ms': '-1' },
    /^retention\.ms of prices is -1: it keeps every record.*leave out --expire-with-retention$/,
  ],
  [
    'by size too',
    aging,
    { 'cleanup.policy': 'delete', 'retention.bytes': '1000' },
    /^retention\.bytes of prices is 1000: it forgets by size.*--add-config retention\.bytes=-1$/,
  ],
  [
    'by a size that is not told',
    aging,
    { 'cleanup.policy': 'delete', 'retention.bytes': '' },
    /^retention\.bytes of prices is /,
  ],
  [
    'at once',
    aging,
    { 'cleanup.policy': 'delete', 'retention.ms': '9999' },
    /^retention\.ms of prices is 9999, it must be at least 10000.*--add-config retention\.ms=10000$/,
  ],
  [
    'an age that is not told',
    aging,
    { 'cleanup.policy': 'delete', 'retention.ms': 'x' },
    /^retention\.ms of prices is NaN/,
  ],
  ['bound: as it was', bound, { 'cleanup.policy': 'delete' }, undefined],
  [
    'bound: sooner than then',
    bound,
    { 'cleanup.policy': 'delete', 'retention.ms': '3600000' },
    /^retention\.ms of prices is 3600000, and it was 604800000 when it was bound: replicas that were there before serve values that the topic has let go of.*bind it anew.*retention\.ms=604800000$/,
  ],
  [
    'bound: later than then',
    bound,
    { 'cleanup.policy': 'delete', 'retention.ms': '999999999999' },
    /nothing wrong is served\. To follow it, delete the namespace/,
  ],
  [
    'bound: never any more',
    bound,
    { 'cleanup.policy': 'delete', 'retention.ms': '-1' },
    /is -1, and it was 604800000.*nothing wrong is served/,
  ],
  [
    'bound: compacted since',
    bound,
    { 'cleanup.policy': 'compact' },
    /is compact and was one with delete: values are hidden after/,
  ],
  [
    'bound: by size since',
    bound,
    { 'cleanup.policy': 'delete', 'retention.bytes': '1' },
    /^retention\.bytes of prices is 1/,
  ],
  ['written to', written, { 'cleanup.policy': 'compact' }, undefined],
  ['written to, and by age', { ...written, ...aging, writable: true }, { 'cleanup.policy': 'delete' }, undefined],
  [
    'written to, with small batches',
    written,
    { 'cleanup.policy': 'compact', 'max.message.bytes': '999999' },
    /^max\.message\.bytes of prices is 999999, .*at least 1000000\..*max\.message\.bytes=1000000$/,
  ],
  [
    'written to, where what is acknowledged may go',
    written,
    { 'cleanup.policy': 'compact', 'unclean.leader.election.enable': 'true' },
    /^unclean\.leader\.election\.enable of prices is true.*=false$/,
  ],
  [
    'only read: that is its producers’ affair',
    asIs,
    { 'cleanup.policy': 'compact', 'max.message.bytes': '9' },
    undefined,
  ],
])('%s', (_, keeping, own, problem) => {
  const topic = { name: 'prices', settings: { ...settings, ...own } } as unknown as TopicDescription;
  const found = sourcePolicyProblem(topic, keeping, 'k1:9092');
  if (problem === undefined) expect(found).toBeUndefined();
  else expect(found).toMatch(problem);
});
