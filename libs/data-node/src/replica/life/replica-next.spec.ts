import { dice, seed } from '../../../../../test/support/seed';
import type { OpenVerdict } from '../open-verdict';
import {
  hostedStateOf,
  isOpen,
  type LifeEffect,
  type LifeEvent,
  type LifePhase,
  newLife,
  type ReplicaLife,
} from './replica-life';
import { replicaNext } from './replica-next';

const phases: readonly LifePhase[] = [
  'opening',
  'waitsForPlan',
  'following',
  'unitFull',
  'diskFull',
  'reopening',
  'shutOut',
  'rebuilding',
  'hindered',
  'stuck',
  'closed',
];

const verdict = (todo: OpenVerdict['todo'], code?: string): OpenVerdict => ({
  todo,
  code,
  problem: `${code ?? todo}!`,
  error: undefined,
});
const workFailed = (todo: OpenVerdict['todo']): LifeEvent => ({
  type: 'WorkFailed',
  moves: true,
  ...verdict(todo, 'C'),
});

/** Every event, in each of its kinds. */
const events = {
  started: { type: 'Started' },
  reassigned: { type: 'Reassigned', fills: false, moves: false, servesAnew: false },
  'reassigned, is filled': { type: 'Reassigned', fills: true, moves: true, servesAnew: false },
  'reassigned, serves anew': { type: 'Reassigned', fills: true, moves: false, servesAnew: true },
  'close asked': { type: 'CloseAsked' },
  'rebuild asked': { type: 'RebuildAsked', reason: 'r', damaged: false },
  'opening begun': { type: 'OpeningBegun', loads: false },
  'filling begun': { type: 'FillingBegun' },
  'part found': { type: 'PartFound', fills: false },
  'part found, is filled': { type: 'PartFound', fills: true },
  opened: { type: 'Opened' },
  reviewed: { type: 'Reviewed', complete: false },
  'reviewed, complete': { type: 'Reviewed', complete: true },
  applied: { type: 'Applied' },
  'write failed: rebuild': { type: 'WriteFailed', ...verdict('rebuild') },
  'write failed: unit full': { type: 'WriteFailed', ...verdict('stuck', 'UNIT_FULL') },
  'write failed: disk full': { type: 'WriteFailed', ...verdict('standStill') },
  'write failed: else': { type: 'WriteFailed', ...verdict('again') },
  'work failed: rebuild': workFailed('rebuild'),
  'work failed: disk full': workFailed('standStill'),
  'work failed: stuck': workFailed('stuck'),
  'work failed: else': workFailed('again'),
  'no room found': { type: 'NoRoomFound' },
  'reopening begun': { type: 'ReopeningBegun' },
  measured: { type: 'Measured' },
  'no source found': { type: 'NoSourceFound', problem: 'no source' },
  'given up, log': { type: 'GivenUp', from: 'log' },
  'given up, peer': { type: 'GivenUp', from: 'peer' },
  'pause over': { type: 'PauseOver' },
} as const satisfies Record<string, LifeEvent>;

const rebuild = 'rebuilding: tellRebuild cancelPause detach forgetPlaces rebuildInTurn';
const close = 'closed: cancelPause stop detach close';
const again = ': tellRetry pause';
/** Of every phase that is not named, the same. */
const others = (...[of, ...except]: [string, ...LifePhase[]]): Partial<Record<LifePhase, string>> =>
  Object.fromEntries(
    phases
      .filter((phase) => phase !== 'closed' && !except.includes(phase))
      .map((phase) => [phase, of.startsWith(':') ? `${phase}${of}` : of]),
  );

/** The phase after the event and what is to be done; what is not here is ignored. */
const table: Record<keyof typeof events, Partial<Record<LifePhase, string>>> = {
  started: { opening: 'opening: open' },
  reassigned: others(': review'),
  'reassigned, is filled': { ...others(': review'), waitsForPlan: 'opening: open review' },
  'reassigned, serves anew': {
    ...others(': forgetEnds readEnds'),
    waitsForPlan: 'opening: open forgetEnds readEnds',
  },
  'close asked': others(close),
  'rebuild asked': { ...others(rebuild), rebuilding: 'rebuilding:' },
  'opening begun': { opening: 'opening:' },
  'filling begun': { opening: 'opening:' },
  'part found': { opening: 'waitsForPlan:' },
  'part found, is filled': { opening: 'opening: open' },
  opened: { opening: 'following: attach' },
  reviewed: { following: 'following:', unitFull: 'unitFull:', diskFull: 'diskFull:' },
  'reviewed, complete': {
    following: 'following: noteWhole',
    unitFull: 'unitFull: noteWhole',
    diskFull: 'diskFull: noteWhole',
  },
  applied: { following: 'following:' },
  'write failed: rebuild': { ...others(rebuild), rebuilding: 'rebuilding:' },
  'write failed: unit full': { following: 'unitFull: detach pause' },
  'write failed: disk full': { following: 'diskFull: detach tellNoRoom pause' },
  'write failed: else': { following: 'reopening: detach pause' },
  'work failed: rebuild': { ...others(rebuild, 'waitsForPlan', 'stuck'), rebuilding: `rebuilding${again}` },
  'work failed: disk full': {
    ...others(again, 'waitsForPlan', 'stuck'),
    opening: 'shutOut: tellNoRoom pause',
  },
  'work failed: stuck': { ...others(again, 'waitsForPlan', 'stuck'), opening: 'stuck: tellStuck' },
  'work failed: else': others(again, 'waitsForPlan', 'stuck'),
  'no room found': {
    reopening: 'shutOut: tellNoRoom pause',
    diskFull: 'diskFull: tellNoRoom pause',
    shutOut: 'shutOut: tellNoRoom pause',
  },
  'reopening begun': { reopening: 'opening:', diskFull: 'opening:', shutOut: 'opening:' },
  measured: { unitFull: 'following: attach' },
  'no source found': { rebuilding: 'hindered: tellHindered pause', hindered: 'hindered: pause' },
  'given up, log': { rebuilding: 'opening:', hindered: 'opening:' },
  'given up, peer': { rebuilding: 'opening: open', hindered: 'opening: open' },
  'pause over': {
    opening: 'opening: open',
    following: 'following: readEnds',
    unitFull: 'unitFull: measure',
    diskFull: 'diskFull: reopenInTurn',
    reopening: 'reopening: reopen',
    shutOut: 'shutOut: reopenInTurn',
    rebuilding: 'rebuilding: rebuild',
    hindered: 'hindered: rebuild',
  },
};

const said = (life: ReplicaLife, event: LifeEvent): string => {
  const next = replicaNext(life, event);
  return next === undefined ? 'ignored' : `${next.life.phase}: ${next.effects.join(' ')}`.trim();
};

/** What the events make of a life, one after another; none of them may be ignored. */
function after(from: Partial<ReplicaLife>, ...happened: readonly LifeEvent[]): ReplicaLife {
  return happened.reduce<ReplicaLife>(
    (life, event) => {
      const next = replicaNext(life, event);
      if (next === undefined) throw new Error(`${event.type} says nothing to one that is ${life.phase}`);
      return next.life;
    },
    { ...newLife, ...from },
  );
}

describe('the life of a hosted replica', () => {
  const cells = (Object.keys(events) as (keyof typeof events)[]).flatMap((name) =>
    phases.map((phase) => [name, phase] as const),
  );

  it.each(cells)('%s, while it is %s', (name, phase) => {
    expect(said({ ...newLife, phase }, events[name])).toBe(table[name][phase] ?? 'ignored');
  });

  it('says once that the disk takes no more, until it follows again', () => {
    const refused = after({ phase: 'following' }, events['write failed: disk full']);
    expect(said(refused, events['no room found'])).toBe('diskFull: pause');
    const opening = after(refused, events['reopening begun']);
    expect(opening.refused).toBe(true);
    expect(said(opening, events['work failed: disk full'])).toBe('shutOut: pause');
    expect(said(after(opening, events.opened), events['write failed: disk full'])).toMatch(/tellNoRoom/);
  });

  it.each<[LifePhase, boolean]>([
    ['unitFull', true],
    ['diskFull', true],
    ['reopening', false],
  ])('a replica that was readable stays so while it is %s: %s', (phase, readable) => {
    const event = { unitFull: 'write failed: unit full', diskFull: 'write failed: disk full' }[phase as 'unitFull'];
    const name = (event ?? 'write failed: else') as keyof typeof events;
    expect(after({ phase: 'following', readable: true }, events[name])).toMatchObject({ phase, readable });
  });

  it('gives up as damaged what was found to be, whenever that was while it is built anew', () => {
    const damage = { type: 'RebuildAsked', reason: 'damage', damaged: true } as const;
    const late = after({ phase: 'following' }, events['rebuild asked'], damage, events['rebuild asked']);
    expect(late).toMatchObject({ damaged: true, reason: 'r', problem: 'r' });
    const hindered = after(late, events['no source found'], events['rebuild asked']);
    expect(hindered.damaged).toBe(true);
    expect(after(hindered, events['given up, log'])).toMatchObject({ damaged: false, rebuilds: 1 });
  });

  it('what hinders it stays the trouble that people see when a further look fails', () => {
    const hindered = after({ phase: 'rebuilding' }, events['no source found'], workFailed('again'));
    expect(hindered).toMatchObject({ phase: 'hindered', problem: 'no source' });
    expect(hostedStateOf(hindered)).toBe('stuck');
  });

  it.each<[string, Partial<ReplicaLife>, boolean, unknown]>([
    ['opening fails', {}, true, { code: 'C', message: 'C!' }],
    ['opening fails, and no plan is about it', {}, false, undefined],
    ['a write failed before', { phase: 'reopening' }, true, undefined],
  ])('tells its plan why it cannot do what that asks: %s', (_, from, moves, moveFailure) => {
    const failed = after(from, { type: 'WorkFailed', moves, ...verdict('again', 'C') });
    expect(failed.moveFailure).toEqual(moveFailure);
    expect(after(failed, events.reassigned).moveFailure).toBeUndefined();
  });

  it(`I13, I18: whatever happens in whatever order, it goes on by itself or waits for people (seed ${seed})`, () => {
    const random = dice(seed);
    const reached = new Set<LifePhase>();
    for (let walk = 0; walk < 400; walk++) {
      const model = new Model(random);
      for (let step = 0; step < 60; step++) {
        model.step();
        reached.add(model.life.phase);
      }
    }
    expect([...reached].sort()).toEqual([...phases].sort());
  });
});

/** Performs what it is told with luck for a world: work ends in some way, pauses end, decisions and damage come. */
class Model {
  life = newLife;
  private work: LifeEffect[] = [];
  private pauses = false;

  constructor(private readonly random: () => number) {
    this.take(events.started);
  }

  step(): void {
    const [work] = this.work;
    if (work !== undefined && this.random() < 0.6) this.end(work);
    else if (this.pauses && this.random() < 0.6) {
      this.pauses = false;
      this.take(events['pause over']);
    } else this.take(this.draw(outside));
    const { phase, readable } = this.life;
    if (readable && !isOpen(this.life)) throw new Error(`I13: readable while it is ${phase}`);
    const rests = phase === 'following' || phase === 'stuck' || phase === 'waitsForPlan' || phase === 'closed';
    if (!rests && !this.pauses && this.work.length === 0) throw new Error(`I18: ${phase}, and nothing goes on`);
  }

  private end(work: LifeEffect): void {
    for (const event of this.draw(ends[work] ?? [[]])) this.take(event);
    this.work.shift();
  }

  private take(event: LifeEvent): void {
    const next = replicaNext(this.life, event);
    if (next === undefined) return;
    if (this.life.phase === 'closed') throw new Error('it is closed');
    this.life = next.life;
    for (const effect of next.effects)
      if (effect === 'pause') this.pauses = true;
      else if (effect === 'cancelPause') this.pauses = false;
      else if (effect in ends) this.work.push(effect);
  }

  private draw<Item>(items: readonly Item[]): Item {
    return items[Math.floor(this.random() * items.length)] as Item;
  }
}

/** What comes from elsewhere. */
const outside: readonly LifeEvent[] = [
  events.reassigned,
  events['reassigned, is filled'],
  events['reassigned, serves anew'],
  events['rebuild asked'],
  events['write failed: rebuild'],
  events['write failed: unit full'],
  events['write failed: disk full'],
  events['write failed: else'],
  events.applied,
  events.reviewed,
  events['reviewed, complete'],
  events.applied,
  events['reviewed, complete'],
  { type: 'RebuildAsked', reason: 'damage', damaged: true },
  events['close asked'],
];
const fails = [workFailed('again'), workFailed('rebuild'), workFailed('standStill'), workFailed('stuck')];
const opens: readonly (readonly LifeEvent[])[] = [
  [events['opening begun'], events.opened],
  [events['opening begun'], events['filling begun'], events.opened],
  [events['opening begun'], events['rebuild asked']],
  [events['part found']],
  [events['part found, is filled']],
];
const reopens = [[events['no room found']], ...opens.map((each) => [events['reopening begun'], ...each])];
const rebuilds = [
  [events['no source found']],
  [events['given up, peer']],
  ...opens.map((each) => [events['given up, log'], ...each]),
];
/** How each work can end: in events, the last of which may be that it failed. */
const endings = (all: readonly (readonly LifeEvent[])[]): readonly (readonly LifeEvent[])[] => [
  ...all,
  ...fails.map((fail) => [fail]),
  ...all.map((each) => [...each.slice(0, -1), fails[0] as LifeEvent]),
];
const ends: { readonly [work in LifeEffect]?: readonly (readonly LifeEvent[])[] } = {
  open: endings(opens),
  reopen: endings(reopens),
  reopenInTurn: endings(reopens),
  measure: endings([[events.measured]]),
  readEnds: [[events['reviewed, complete']], [events.reviewed]],
  rebuild: endings(rebuilds),
  rebuildInTurn: endings(rebuilds),
};
