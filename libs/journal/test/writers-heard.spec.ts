import { encode } from '@levee/codec';
import type { Heartbeat, NamespaceState } from '@levee/events';
import { asOffset, asPartition } from '@levee/kernel';
import type { Log, LogBatch, LogPosition, StoredRecord } from '@levee/log';
import { topics, world } from '../../master/test/control-plane';
import { seenHeaders, writerHeader, writerLimits, WritersHeard } from '../src';

const beat: Heartbeat = {
  ...{ kind: 'portal', id: 'p1', incarnation: 'i-1', address: 'h:1', sentAtMs: 0, featureLevel: 6 },
  ...{ positions: [], loads: [], moves: [], freeDiskBytes: -1, errors: [] },
};

/** Heartbeats as a log holds them, with its time. */
class Beats {
  private readonly records: StoredRecord[] = [];

  say(atMs: number, who: Partial<Heartbeat>, said?: 'ended' | readonly string[]): this {
    const word =
      said === undefined ? [] : [writerHeader({ ended: said === 'ended', obeys: said === 'ended' ? [] : said })];
    const seen = seenHeaders({ seq: 7, term: 1, clusterId: 'c' });
    const value = encode('Heartbeat', { ...beat, ...who });
    const offset = asOffset(this.records.length);
    this.records.push({ offset, timestampMs: atMs, key: null, value, headers: [...seen, ...word] });
    return this;
  }

  /** The master says that it lives, every second. */
  others(fromMs: number, toMs: number): this {
    for (let atMs = fromMs; atMs <= toMs; atMs += 1_000) this.say(atMs, { kind: 'master', id: 'm1', incarnation: 'm' });
    return this;
  }

  /** The log loses all but the first ones. */
  cut(left: number): this {
    this.records.length = left;
    return this;
  }

  async heard(): Promise<WritersHeard> {
    const { records } = this;
    const end = () => asOffset(records.length);
    const log = {
      offsets: () => Promise.resolve([{ partition: asPartition(0), startOffset: asOffset(0), endOffset: end() }]),
      tail: async function* (_: string, __: number, from: LogPosition): AsyncGenerator<LogBatch> {
        const at = { topic: topics.heartbeats, partition: asPartition(0), leaderEpoch: 0 };
        const batch = { firstOffset: from.nextOffset, nextOffset: end(), endOffset: end() };
        yield { ...at, ...batch, records: records.slice(from.nextOffset) };
      },
    } as unknown as Log;
    const heard = new WritersHeard(log, topics, world);
    await heard.read();
    return heard;
  }
}

const namespace = { name: 'shop', number: 1, frozenSeq: 9, freezeWithout: ['i-said'] } as unknown as NamespaceState;
const goneMs = writerLimits.goneAfterMs;

describe('whom a freeze waits for', () => {
  it.each<[string, Beats, string[]]>([
    ['nobody', new Beats().others(0, 1_000), []],
    ['one that has not heard of it', new Beats().say(0, {}, []), ['i-1']],
    ['one that obeys another freeze', new Beats().say(0, {}, ['shop#1@8', 'shop#2@9', 'other#1@9']), ['i-1']],
    ['one that obeyed and says nothing now', new Beats().say(0, {}, ['shop#1@9']).say(1, {}, []), ['i-1']],
    ['one that obeys', new Beats().say(0, {}, []).say(1, {}, ['other#1@3', 'shop#1@9']), []],
    ['one that has ended', new Beats().say(0, {}, []).say(1, {}, 'ended'), []],
    ['one of an older version', new Beats().say(0, {}), ['i-1']],
    [
      'an earlier run of one that obeys',
      new Beats().say(0, {}, []).say(1, { incarnation: 'i-2' }, ['shop#1@9']),
      ['i-1'],
    ],
    ['one that people say has ended', new Beats().say(0, { incarnation: 'i-said' }, []), []],
    ['nodes, masters and dispatchers', new Beats().say(0, { kind: 'node' }).say(1, { kind: 'dispatcher' }), []],
    ['one silent, nearly for good', new Beats().say(0, {}, []).others(1_000, goneMs - 1_000), ['i-1']],
    ['one silent for good', new Beats().say(0, {}, []).others(1_000, goneMs), []],
    [
      'one heard before the log was away, or its clock jumped',
      new Beats().say(0, {}, []).others(goneMs, goneMs),
      ['i-1'],
    ],
    ['one whose time the log took back', new Beats().others(0, 5_000).say(1, {}, []).others(5_000, goneMs), ['i-1']],
  ])('%s', async (_what, beats, waits) => {
    const heard = await beats.heard();
    expect(heard.freezeWaits(namespace).map(({ incarnation }) => incarnation)).toEqual(waits);
  });

  it('says why, with who it is and for how long it was silent', async () => {
    const heard = await new Beats().say(0, {}, []).say(0, { incarnation: 'i-2' }).others(1_000, 8_000).heard();
    const why = 'it was not heard for 8 s, and may write when it goes on';
    const of = { process: 'portal p1', address: 'h:1', silentMs: 8_000, why };
    expect(heard.freezeWaits(namespace)).toEqual([
      { ...of, incarnation: 'i-1' },
      { ...of, incarnation: 'i-2' },
    ]);
    expect((await new Beats().say(0, {}).heard()).freezeWaits(namespace)).toMatchObject([
      { why: 'it does not say whether it obeys: it is of an older version' },
    ]);
  });

  it('after a thaw, who has not read it', async () => {
    const heard = await new Beats().say(0, {}, []).heard();
    expect(heard.behind(7)).toEqual([]);
    expect(heard.behind(8)).toMatchObject([{ process: 'portal p1', why: 'it has read decision 7' }]);
  });

  it('one that is heard only where the log gave offsets again is waited for', async () => {
    const beats = new Beats().others(0, 9_000);
    const heard = await beats.heard();
    beats.cut(3).say(10_000, {}, []);
    await heard.read();
    expect(heard.freezeWaits(namespace).map(({ incarnation }) => incarnation)).toEqual(['i-1']);
    // Nobody looked until it was longer than before.
    beats.cut(0).say(11_000, { incarnation: 'i-2' }, []).others(12_000, 40_000);
    heard.forgetAll();
    await heard.read();
    expect(heard.freezeWaits(namespace).map(({ incarnation }) => incarnation)).toEqual(['i-2']);
  });
});
