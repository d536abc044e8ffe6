import { ClusterState, viewRoutes } from '@levee/cluster';
import { encode } from '@levee/codec';
import { asOffset, asPartition } from '@levee/kernel';
import { type Log, LogFailure } from '@levee/log';
import { PlanScript } from '../../cluster/test/plans/plan-script';
import { topics } from '../../master/test/control-plane';
import { explainThen, type Moment, routesThen } from '../src';
import { journalThen } from '../src/past/journal-then';
import { bent, journalOf, logWith, repairedJournalOf, type TimedRecord } from './scripted-journal';

const p0 = asPartition(0);
/** A decision near the end of every journal here. */
const late = 25;

/** A namespace whose first chunk is moved by people; then a node is lost, and its replicas are made up for. */
function history(): PlanScript & { readonly moved: string; readonly healed: string; readonly chunkId: string } {
  const script = new PlanScript();
  const pass = (): number => (script.nowMs += 10_000);
  for (const nodeId of ['n1', 'n2', 'n3', 'n4', 'n5']) {
    script.node(nodeId, { unitCount: 8 });
    pass();
  }
  script.namespace('shop', { chunks: 2, replicas: 3, partitions: 4 });
  const [chunk] = script.state.chunksOf('shop');
  const { chunkId, replicas } = chunk!;
  pass();
  const follower = replicas.find(({ role }) => role === 'follower')!.nodeId;
  const moved = script.propose({ kind: 'move', chunkId, from: follower, observeMs: 0 }).planId;
  script.finish();
  pass();
  const gone = script.state.chunk(chunkId)!.replicas.find(({ role }) => role === 'primary')!.nodeId;
  const observed = { nodeId: gone, incarnation: `run-1-${gone}`, silentMs: 31_000, observers: ['m1'], reports: [] };
  script.accept('SuspectNode', observed);
  pass();
  script.accept('LoseNode', observed);
  pass();
  const dead = [{ nodeId: gone, unitId: `${gone}/u00` }];
  const payload = { kind: 'reReplicate', chunkId, trigger: 'deadReplica', policyVersion: 4, evidence: { dead } };
  expect(script.submit('ProposePlan', payload, { principal: 'dispatcher d1' }).rejection).toBeUndefined();
  const healed = `p${script.journal.length}`;
  script.finish();
  return Object.assign(script, { moved, healed, chunkId });
}

describe('routes at any past decision, from the journal alone (U5)', () => {
  const script = history();
  const records = journalOf(script);
  let laid: Awaited<ReturnType<typeof logWith>>;
  beforeAll(async () => (laid = await logWith(records)));
  afterAll(() => laid.log.close());
  const ask = (moment: Moment, log: Log = laid.log, namespace = 'shop') =>
    routesThen(laid.worldOf(log), { namespace, moment });

  it('are those of a fold of what was decided, at every decision, and at every time', async () => {
    const state = new ClusterState();
    let compared = 0;
    for (const [i, events] of script.journal.entries()) {
      for (const event of events) state.evolve(event);
      const seq = i + 1;
      const expected = viewRoutes(state, 'shop');
      if ('code' in expected) {
        await expect(ask({ seq })).rejects.toMatchObject({ code: 'NAMESPACE_UNKNOWN' });
        continue;
      }
      const bySeq = await ask({ seq });
      expect(bySeq).toMatchObject({ verdict: 'proved', decision: { seq, offset: seq } });
      expect(bySeq.routes).toEqual(expected);
      const atMs = script.decided[i]!.atMs;
      // Of several at one time the last one is in force.
      if (script.decided[i + 1] !== undefined && script.decided[i + 1]!.atMs > atMs) {
        for (const timeMs of [atMs, script.decided[i + 1]!.atMs - 1])
          expect(await ask({ timeMs })).toMatchObject({ decision: { seq }, until: { seq: seq + 1 }, routes: expected });
      }
      compared++;
    }
    expect(compared).toBeGreaterThan(20);
    expect((await ask({ newest: true })).routes).toEqual(viewRoutes(state, 'shop'));
  });

  it('a time before all, and a namespace that was not there yet', async () => {
    await expect(ask({ timeMs: 1_000 })).rejects.toThrow(/^at 1970-.*there is no namespace 'shop': there is none yet/);
    await expect(ask({ seq: 3 })).rejects.toThrow(/^as of decision 3, there is no namespace 'shop'/);
  });

  /** The journal with some answers bent, or with other records. */
  const cut = (): Log =>
    bent(laid.log, {
      offsets: async (topic) => (await laid.log.offsets(topic)).map((of) => ({ ...of, startOffset: asOffset(7) })),
    });
  const holed = (from: number, to: number): Log =>
    bent(laid.log, {
      tail: async function* (topic, partition, position, options) {
        for await (const batch of laid.log.tail(topic, partition, position, options)) {
          const strikes = position.nextOffset <= from && batch.nextOffset > from;
          const readable = (batch.stored ?? []).filter(({ baseOffset }) => baseOffset < from || baseOffset >= to);
          if (!strikes) yield { ...batch, stored: readable };
          else {
            const before = readable.filter(({ baseOffset }) => baseOffset < from);
            yield { ...batch, stored: before, nextOffset: asOffset(from) };
            throw new LogFailure('RECORD_CORRUPT', 'damaged', {
              details: { topic, partition, from, to, why: 'damaged' },
            });
          }
        }
      },
    });
  const last = records.length - 1;
  const lastMs = records[last]!.atMs;

  it.each<[string, () => Log, Moment, string, RegExp]>([
    ['a journal that was cut at its start', cut, { seq: late }, 'journal-cut', /begins at offset 7/],
    ['a hole below it', () => holed(9, 11), { seq: late }, 'journal-unreadable', /offsets 9 to 10: damaged/],
    ['a hole below that time', () => holed(9, 11), { timeMs: lastMs - 1 }, 'journal-unreadable', /offsets 9 to 10/],
    ['a decision that is in the hole', () => holed(9, 11), { seq: 9 }, 'journal-unreadable', /offsets 9 to 10/],
    ['a number that was not given yet', () => laid.log, { seq: last + 1 }, 'no-such-decision', /whose last one is/],
    ['a time that may still come', () => laid.log, { timeMs: lastMs + 1 }, 'later', /the log is known up to/],
  ])('says not provable, and why: %s', async (_, logOf, moment, reason, message) => {
    const found = await ask(moment, logOf());
    expect(found).toMatchObject({ verdict: 'not provable', reason, routes: null, decision: null });
    expect(found.message).toMatch(message);
  });

  it('before the hole an answer is proved', async () => {
    expect(await ask({ seq: 8 }, holed(9, 11))).toMatchObject({ verdict: 'proved', until: null });
    expect(await explainThen(laid.worldOf(holed(9, 11)), { subject: 'n1', moment: { seq: 6 } })).toMatchObject({
      verdict: 'proved',
    });
  });

  it('by a time of a producer nothing is proved, by a number it is', async () => {
    const log = bent(laid.log, {
      tail: async function* (...of) {
        for await (const batch of laid.log.tail(...of))
          yield {
            ...batch,
            stored: (batch.stored ?? []).map((each) => ({
              ...each,
              timestampType: 'create' as const,
              records: (k?: Buffer) => each.records(k),
            })),
          };
      },
    });
    expect(await ask({ timeMs: lastMs - 1 }, log)).toMatchObject({ reason: 'producer-times', routes: null });
    expect(await ask({ seq: late }, log)).toMatchObject({ verdict: 'proved' });
  });

  /** Each with a log of its own. */
  async function asked(changed: readonly TimedRecord[], moment: Moment, more?: (log: Log) => Promise<unknown>) {
    const other = await logWith(changed);
    await more?.(other.log);
    other.clock.nowMs = lastMs + 60_000;
    const found = await routesThen(other.worldOf(other.log), { namespace: 'shop', moment });
    await other.log.close();
    return found;
  }

  it('a decision that is missing, or was edited: nothing is told from there on, and before it all', async () => {
    const missing = records.filter((_, i) => i !== 20);
    expect(await asked(missing, { seq: late })).toMatchObject({
      reason: 'journal-broken',
      message: expect.stringMatching(/at offset 20, decision 21/),
    });
    expect(await asked(missing, { seq: 19 })).toMatchObject({ verdict: 'proved' });
  });

  it('a time behind the end of a journal that has lost its end', async () => {
    const short = records.slice(0, -5);
    const moment = { timeMs: lastMs + 30_000 };
    expect(await asked(records, moment)).toMatchObject({ verdict: 'proved', decision: { seq: last }, until: null });
    expect(await asked(short, moment, checkpointAhead)).toMatchObject({
      verdict: 'not provable',
      reason: 'journal-short',
    });
  });

  const checkpointAhead = (log: Log) =>
    log.append(topics.routes, p0, [
      {
        key: Buffer.from('checkpoint'),
        value: encode('Checkpoint', {
          ...{ topic: topics.routes, seq: last + 9, term: 1, digest: '0'.repeat(32) },
          ...{ previousSha256: '0'.repeat(64), journalOffset: last, commandsOffset: last, writtenAtMs: lastMs },
        }),
      },
    ]);

  it('a journal that seems to grow for ever is read three times; one that cannot be read, once', async () => {
    const other = await logWith(records);
    await checkpointAhead(other.log);
    let [rounds, grown] = [0, 0];
    const told = (isDamaged: boolean): Log =>
      bent(other.log, {
        offsets: async (topic) =>
          (await other.log.offsets(topic)).map((of) => ({ ...of, endOffset: asOffset(of.endOffset + ++grown) })),
        tail: async function* (topic, partition, position, options) {
          if (topic === topics.journal && position.nextOffset === 0) rounds++;
          if (topic === topics.journal && isDamaged)
            throw new LogFailure('RECORD_CORRUPT', 'damaged', {
              details: { topic, partition: 0, from: 0, why: 'damaged' },
            });
          yield* other.log.tail(topic, partition, position, options);
        },
      });
    const newest = { newest: true } as const;
    expect(await journalThen(other.worldOf(told(false)), newest)).toMatchObject({ reason: 'journal-short' });
    expect(rounds).toBe(3);
    rounds = 0;
    expect(await journalThen(other.worldOf(told(true)), newest)).toMatchObject({ reason: 'journal-unreadable' });
    expect(rounds).toBe(1);
    await other.log.close();
  });

  it('a stranger’s bytes in the journal change nothing', async () => {
    const bytes = { record: { key: null, value: Buffer.from('hello') }, atMs: records[10]!.atMs };
    const found = await asked([...records.slice(0, 11), bytes, ...records.slice(11)], { seq: late });
    expect(found.routes).toEqual((await ask({ seq: late })).routes);
  });
});

describe('decisions that were lost and repaired later', () => {
  const script = history();
  const lost = 3;
  const records = repairedJournalOf(script, lost);
  const seqMax = script.decided.length;
  const kept = seqMax - lost;
  const atOf = (seq: number): number => records[seq]!.atMs;
  let laid: Awaited<ReturnType<typeof logWith>>;
  beforeAll(async () => {
    laid = await logWith(records);
    laid.clock.nowMs += 60_000;
  });
  afterAll(() => laid.log.close());
  const ask = (moment: Moment) => routesThen(laid.worldOf(laid.log), { namespace: 'shop', moment });

  it('by time nothing is told from the last decision before them up to the repair', async () => {
    for (const timeMs of [atOf(kept), atOf(seqMax) - 1]) {
      const found = await ask({ timeMs });
      expect(found).toMatchObject({ verdict: 'not provable', reason: 'decision-lost', routes: null });
      expect(found.message).toMatch(new RegExp(`^decisions behind ${kept} were lost and repaired at 2001-`));
      const explained = await explainThen(laid.worldOf(laid.log), { subject: script.chunkId, moment: { timeMs } });
      expect(explained).toMatchObject({ reason: 'decision-lost', was: null });
    }
    for (const timeMs of [atOf(kept) - 1, atOf(seqMax), atOf(seqMax) + 30_000])
      expect(await ask({ timeMs })).toMatchObject({ verdict: 'proved' });
  });

  it('by number all but those that were lost is told', async () => {
    for (const seq of [kept - 1, kept, seqMax, seqMax + 1])
      expect(await ask({ seq })).toMatchObject({ verdict: 'proved', decision: { seq } });
    for (const seq of [kept + 1, seqMax - 1]) {
      const found = await ask({ seq });
      expect(found).toMatchObject({ verdict: 'not provable', reason: 'decision-lost', routes: null });
      expect(found.message).toContain(`again only with decision ${seqMax}`);
    }
    expect(await ask({ newest: true })).toMatchObject({ verdict: 'proved' });
  });
});

describe('explain goes from a route to who asked (U8)', () => {
  const script = history();
  let laid: Awaited<ReturnType<typeof logWith>>;
  beforeAll(async () => (laid = await logWith(journalOf(script))));
  afterAll(() => laid.log.close());
  const explained = (subject: string, moment: Moment) => explainThen(laid.worldOf(laid.log), { subject, moment });
  const seqOf = (kind: string, nth = 0): number =>
    [...script.decided.entries()].filter(
      ([, { command, verdict }]) => command.kind === kind && verdict.rejection === undefined,
    )[nth]![0] + 1;

  it('of a chunk that people moved', async () => {
    const switched = seqOf('SwitchPlan');
    const { chain, was, verdict } = await explained(script.chunkId, { seq: switched });
    expect([verdict, was]).toEqual(['proved', expect.stringMatching(/^serving for slots 0\.\.500000: /)]);
    expect(chain.map(({ link, seq }) => `${link} ${seq}`)).toEqual([
      `route ${switched}`,
      `decision ${switched}`,
      `plan ${switched}`,
      `digests ${seqOf('VerifyPlan')}`,
      `decision ${seqOf('VerifyPlan')}`,
      `asked by ${seqOf('VerifyPlan')}`,
      `decision ${seqOf('ProposePlan')}`,
      `evidence ${seqOf('ProposePlan')}`,
      `asked by ${seqOf('ProposePlan')}`,
      `asked by ${switched}`,
    ]);
    const [digests] = chain.filter(({ link }) => link === 'digests');
    expect(digests?.facts).toMatchObject({
      barrierId: expect.any(String),
      barriers: [expect.stringMatching(/^\d+:\d+$/), expect.anything()],
      replicas: expect.arrayContaining([
        expect.objectContaining({ storeId: expect.any(String), incarnation: expect.any(String), generation: 1 }),
      ]),
    });
    expect(chain.at(-2)?.what).toMatch(/^user\/test at /);
  });

  it('of one whose node was lost: down to the silence that was heard', async () => {
    const { chain } = await explained(script.chunkId, { newest: true });
    const text = chain.map(({ link, what }) => `${link}: ${what}`);
    expect(text).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^decision: .*LoseNode$/),
        expect.stringMatching(/^asked by: dispatcher d1 at 2001-09-09T01:/),
      ]),
    );
    expect(chain.find(({ link, seq }) => link === 'evidence' && seq === seqOf('LoseNode'))?.facts).toMatchObject({
      silentMs: 31_000,
      observers: ['m1'],
    });
  });

  it('of one that nothing has changed: by whom its namespace was made', async () => {
    const active = seqOf('ActivateNamespace');
    const { chain } = await explained(script.chunkId, { seq: active });
    expect(chain.map(({ link, seq }) => `${link} ${seq}`)).toEqual([
      `route ${active}`,
      `decision ${active}`,
      `asked by ${active}`,
      `decision ${active - 1}`,
      `asked by ${active - 1}`,
    ]);
    expect(chain.at(-1)?.facts).toMatchObject({ kind: 'CreateNamespace', payload: { name: 'shop', chunks: 2 } });
  });

  it('of a node and of a plan, and of what was not there then', async () => {
    const lost = await explained(script.healed, { newest: true });
    expect(lost.chain[0]).toMatchObject({
      link: 'plan',
      what: expect.stringMatching(/reReplicate is done.*deadReplica/),
    });
    expect((await explained('n1', { seq: 2 })).chain.map(({ link }) => link)).toEqual(['node', 'decision', 'asked by']);
    await expect(explained(script.healed, { seq: 9 })).rejects.toThrow(
      /^as of decision 9, there was no chunk, plan or node/,
    );
  });
});
