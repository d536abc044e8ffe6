import { silentLogger } from '@levee/kernel';
import { systemClock, systemRandom, systemTimers } from '@levee/log';
import {
  encodeRangeReply,
  entryErrorText,
  parseRangeCommand,
  RespClientFailure,
  RespError,
  type RespCallback,
} from '@levee/wire';
import { ManualTime } from '../../test/manual-time';
import type { EngineContext } from '../engine-context';
import { LostPositions } from '../reads/lost-positions';
import type { PortalRoute } from '../routes/namespace-routes';
import type { NamespaceStore } from '../routes/namespace-store';
import { StoreFailure } from '../store-errors';
import { storeLimits } from '../store-limits';
import { Ranges } from './ranges';

const none = Buffer.alloc(0);
const anyKeys = { from: none, to: none, limit: 10, keysOnly: false, session: undefined };

type Answer = (args: readonly Buffer[], done: RespCallback) => void;

const says =
  (text: string): Answer =>
  (_args, done) =>
    done(undefined, new RespError(text));
const fails =
  (code: 'NOT_SENT' | 'OUTCOME_UNKNOWN' | 'LIMIT'): Answer =>
  (_args, done) =>
    done(new RespClientFailure(code, 'the test says so'), null);
const page: Answer = (args, done) => {
  const { seal } = parseRangeCommand(args);
  const reply = { ageMs: 0, tableVersion: 1, items: [], positions: [], nextKey: undefined };
  done(undefined, encodeRangeReply(reply, seal));
};

/** A page from one node that answers so; what came of it, and how often its link is said to have failed. */
async function ask(answer: Answer): Promise<{ outcome: string; failures: number; renewed: number }> {
  const counts = { failures: 0, renewed: 0 };
  const send = (args: readonly (string | Buffer)[], _ms: number, done: RespCallback): void =>
    setImmediate(() =>
      answer(
        args.map((arg) => Buffer.from(arg as Buffer)),
        done,
      ),
    ) as unknown as void;
  const link = { usable: true, scans: { send, renew: () => counts.renewed++ }, failed: () => counts.failures++ };
  const route = { chunkId: 'c', slotStart: 0, slotEnd: 1_000_000, seq: 1, readable: [{ target: { link } }] };
  const namespace = {
    ...{ name: 'ns', state: { partitions: 1, maxStalenessMs: null }, refusal: () => undefined },
    table: { version: 1, at: () => route },
  } as unknown as NamespaceStore;
  const limits = { ...storeLimits, readMs: 100, retryMs: 1 };
  const context = {
    ...{ clock: systemClock, timers: systemTimers, random: systemRandom, logger: silentLogger },
    ...{ limits, expiryNowMs: systemClock.nowMs, isPatient: true },
  } as unknown as EngineContext;
  const outcome = await new Ranges(context, new LostPositions(context, () => undefined))
    .page(namespace, route as unknown as PortalRoute, anyKeys)
    .then(
      (reply) => `${reply?.items.length} keys`,
      (error: unknown) => (error instanceof StoreFailure ? error.text : String(error)),
    );
  return { outcome, ...counts };
}

describe('a page of a chunk', () => {
  it.each<[string, Answer, string]>([
    ['is behind', says(entryErrorText('LVBEHIND', '0:5')), 'LVBEHIND 0:5 is all that is applied yet'],
    ['is stale', says(entryErrorText('LVSTALE', '70000')), 'LVSTALE the replica is 70000 ms old'],
    ['is asked too often', says(entryErrorText('LVLIMIT', 'more than 5 a second')), 'LVLIMIT more than 5 a second'],
    ['is starting', says('LVNOTREADY reading'), 'LVUNAVAILABLE LVNOTREADY reading'],
    ['has given the chunk away', says(entryErrorText('LVMOVED', '9 {}')), 'LVUNAVAILABLE LVMOVED 9 {}'],
    ['has too many requests waiting here', fails('LIMIT'), 'LVUNAVAILABLE the test says so'],
    ['answers', page, '0 keys'],
  ])('of a node that %s says so, and does not call the node unreachable', async (_what, answer, outcome) => {
    expect(await ask(answer)).toEqual({ outcome, failures: 0, renewed: 0 });
  });

  it.each<[string, Answer, number]>([
    ['cannot be reached', fails('NOT_SENT'), 0],
    ['does not answer', fails('OUTCOME_UNKNOWN'), 0],
    ['sends damaged bytes', (_args, done) => done(undefined, Buffer.from('garbage')), 1],
  ])('of a node that %s counts as a failure of its link', async (_what, answer, renewed) => {
    const result = await ask(answer);
    expect(result.outcome).toMatch(/^LVUNAVAILABLE /);
    expect(result.failures).toBeGreaterThan(0);
    expect(result.renewed > 0).toBe(renewed > 0);
  });
});

describe('pages that wait for their turn', () => {
  it('fail within their time while the nodes answer nothing, and no more wait than may', async () => {
    const time = new ManualTime();
    const link = { usable: true, scans: { send: () => undefined }, failed: () => undefined };
    const route = { chunkId: 'c', slotStart: 0, slotEnd: 1_000_000, seq: 1, readable: [{ target: { link } }] };
    const namespace = {
      ...{ name: 'ns', state: { partitions: 1, maxStalenessMs: null }, refusal: () => undefined },
      table: { version: 1, at: () => route },
    } as unknown as NamespaceStore;
    const limits = { ...storeLimits, pagesAtOnceMax: 2, pagesWaitingMax: 3, readTurnMs: 1_000 };
    const context = {
      clock: time,
      timers: time,
      limits,
      expiryNowMs: time.nowMs,
      isPatient: true,
    } as unknown as EngineContext;
    const ranges = new Ranges(context, new LostPositions(context, () => undefined));
    const outcomes: string[] = [];
    for (let i = 0; i < 6; i++)
      ranges
        .page(namespace, route as unknown as PortalRoute, anyKeys)
        .catch((error: unknown) => outcomes.push((error as StoreFailure).text));
    await time.flow(0);
    expect(outcomes).toEqual(['LVLIMIT 3 pages of scans wait for their turn, no more may: ask again later']);
    await time.flow(1_000);
    const late = 'LVLIMIT too many pages of scans were before this one for 1000 ms';
    expect(outcomes.slice(1)).toEqual([late, late, late]);
  });
});
