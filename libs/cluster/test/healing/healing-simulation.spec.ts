import { tell } from '../../../../test/support/counts';
import { dice, full, seed } from '../../../../test/support/seed';
import { HealingSimulation, type Phase, type SimulationSize } from './healing-simulation';

const small = { nodes: 24, unitsPerNode: 180, domains: 8, namespaces: 2, chunksPerNamespace: 400, hotChunks: 4 };
const fifth = { nodes: 200, unitsPerNode: 400, domains: 25, namespaces: 5, chunksPerNamespace: 4_000, hotChunks: 40 };
const whole = {
  nodes: 1_000,
  unitsPerNode: 400,
  domains: 50,
  namespaces: 25,
  chunksPerNamespace: 4_000,
  hotChunks: 200,
};

/** One run of the whole takes some seven minutes; more seeds are tried on a fifth of it. */
const runs: [number, SimulationSize][] = full
  ? [
      [seed, { ...whole, roundMs: 60_000 }],
      ...[1, 2, 3].map((i): [number, SimulationSize] => [seed + i, { ...fifth, roundMs: 60_000 }]),
    ]
  : [[seed, { ...small, roundMs: 60_000 }]];
const minutesMax = 600;
/** Of 70 clusters three had a node so near to the threshold. */
const restsMax = 6;
/** The plan of 100,000 chunks on 1,000 nodes has 2 s; a test gets five times that, of the processor's time. */
const roundMsMax = 10_000;
const cpuMs = (): number => process.cpuUsage().user / 1_000;

jest.setTimeout(full ? 1_800_000 : 120_000);

const sum = (counts: Readonly<Record<string, number>>, ...keys: string[]): number =>
  keys.reduce((total, key) => total + (counts[key] ?? 0), 0);

/** What was done, in percent of the least that would have done. */
const percents = new Map<string, number[]>();
const rounds: number[] = [];
const atRest: number[] = [];
const note = (what: string, done: number, least: number): number => {
  const percent = least === 0 ? 100 : (done / least) * 100;
  percents.set(what, [...(percents.get(what) ?? []), percent]);
  return percent;
};

afterAll(() => {
  const repetitions = runs.length;
  for (const [what, values] of percents)
    tell({ scenario: `placement, ${what}`, repetitions, failures: 0, figure: '% of the least that would do', values });
  const changes = 'placement, a change of nodes or load';
  const figure = 'rounds until nothing is proposed';
  tell({ scenario: changes, repetitions: rounds.length, failures: 0, figure, values: rounds });
  const rest = 'placement, half an hour of steady load afterwards';
  tell({ scenario: rest, repetitions: atRest.length, failures: 0, figure: 'plans', values: atRest });
});

it.each(runs)('seed %i: a cluster of many nodes heals, balances and then leaves everything alone', (from, size) => {
  const lines: string[] = [];
  const simulation = new HealingSimulation(size, dice(from), cpuMs);
  const { policy } = simulation;
  const phase = (name: string, prepare: () => void): Phase => {
    prepare();
    const doneBefore = simulation.plans.done.length;
    const result = simulation.settle(minutesMax);
    rounds.push(result.rounds);
    lines.push(`${name}: ${JSON.stringify({ ...result, ...simulation.counts() })}`);
    expect(simulation.wrongs()).toEqual([]);
    expect(simulation.plans.refused).toEqual([]);
    // Under a load that stays the same nothing goes back and forth, and within the time for returns never.
    expect(simulation.backAndForth(doneBefore)).toEqual([]);
    expect(simulation.returns(policy.returnCoolDownMs)).toEqual([]);
    expect(result.slowestRoundMs).toBeLessThan(roundMsMax);
    return result;
  };
  /** The same load for longer: everything is as it should be, so nothing happens. */
  const rest = (): void => {
    // Dice may still carry a node that stands right below a threshold over it. It is relieved, which takes many plans,
    // and stands there no more: with a few such nodes it must come to rest all the same.
    const wobbling = [simulation.rest(30)];
    while ((wobbling.at(-1) as number) > size.nodes / 100 && wobbling.length < restsMax) {
      simulation.settle(minutesMax);
      wobbling.push(simulation.rest(30));
    }
    lines.push(`  under dice for 30 minutes more: ${wobbling.join(', then ')} plans`);
    expect(wobbling.at(-1)).toBeLessThanOrEqual(size.nodes / 100);
    simulation.settle(minutesMax);
    const before = simulation.plans.done.length;
    const plans = simulation.rest(30, { noise: 0 });
    simulation.finish();
    // What was wanted all the time and had to wait, since it had left that node: its time for returns ends when it ends.
    const waited = simulation.returns(policy.returnCoolDownMs + 30 * 60_000, before);
    atRest.push(plans - waited.length);
    expect(waited).toHaveLength(plans);
  };
  const even = { mean: 200, hot: 0, hotPerSecond: 0 };
  const skewed = (hotPerSecond: number) => ({ mean: 200, hot: size.hotChunks, hotPerSecond });
  /** A node may stay hot only when none of its replicas would be clearly better off, even on the coolest node. */
  const judgeHottest = (): void => {
    const { hottest, coolest, onHottest } = simulation.balance();
    if (hottest < policy.hotNode.enter * 1.1) return;
    const excess = hottest - policy.hotNode.leave;
    const better = onHottest.filter((load) => {
      const limit = Math.max(policy.hotNode.leave, hottest - load - 0.1, hottest * 0.8);
      return load >= excess * 0.02 && load <= excess * 1.3 && coolest + load <= limit;
    });
    expect({ hottest, coolest, better }).toEqual({ hottest, coolest, better: [] });
  };
  const judgeBalance = (name: string, { relieved, excess }: Phase): void => {
    judgeHottest();
    // What is too much must go; a target that gets too much, and a load that turns while it is moved, cost more.
    expect(note(`${name}: load taken from hot nodes`, relieved, excess)).toBeLessThanOrEqual(200);
  };
  const lose = (name: string, victims: readonly string[]): void => {
    let died = 0;
    const lost = phase(name, () => {
      for (const nodeId of victims) died += simulation.cluster.lose(nodeId);
    });
    // The least that restores what was lost, and no replica more.
    expect(sum(lost.byKind, 'deadReplica reReplicate')).toBe(died);
    note(`${name}: replicas made anew`, sum(lost.byKind, 'deadReplica reReplicate'), died);
  };
  try {
    // Each namespace gives each node as many primaries as any other, or one more.
    const { primaries } = simulation.counts();
    expect(primaries[1] - primaries[0]).toBeLessThanOrEqual(size.namespaces);
    const quiet = phase('an even load', () => simulation.spread(even));
    expect(sum(quiet.byKind, 'hotChunk split', 'hotChunk shift', 'coldNeighbours merge', 'emptyNode move')).toBe(0);

    const hot = phase('a skewed load', () => simulation.spread(skewed(12_000)));
    expect(sum(hot.byKind, 'hotChunk split', 'hotChunk shift')).toBeGreaterThanOrEqual(size.hotChunks / 2);
    judgeBalance('a skewed load', hot);
    rest();

    lose('one node lost', simulation.livingNodes.slice(0, 1));
    // A second failure domain may not go before the first has been made up for: that is what domains are for.
    const domainOf = (id: string): string | undefined => simulation.cluster.state.node(id)?.domain;
    const domain = domainOf(simulation.livingNodes[1] as string);
    lose('a failure domain lost', full ? simulation.livingNodes.filter((id) => domainOf(id) === domain) : []);

    const added: string[] = [];
    let wanted = 0;
    const joining = Math.ceil(size.nodes / 50);
    const grown = phase('empty nodes join', () => {
      added.push(...simulation.cluster.addNodes(joining, { units: size.unitsPerNode, domains: size.domains }));
      const { uses } = simulation.balance();
      const used = [...uses.values()].reduce((a, b) => a + b, 0);
      wanted = added.length * Math.floor((used / uses.size) * policy.emptyNode.fillTo);
    });
    const filled = sum(grown.byKind, 'emptyNode move');
    expect(filled).toBeGreaterThan(wanted * 0.8);
    expect(note('empty nodes join: replicas moved to them', filled, wanted)).toBeLessThanOrEqual(110);
    rest();

    const turned = phase('another load', () => simulation.spread(skewed(15_000)));
    judgeBalance('another load', turned);

    if (full) {
      const before = simulation.plans.done.length;
      const wandering = { hot: size.hotChunks / 4, hotPerSecond: 15_000, times: 6, everyMinutes: 10 };
      phase('a load that wanders, then stays', () => simulation.wander(wandering));
      lines.push(`  while it wandered: ${simulation.plans.done.length - before} plans`);
      judgeHottest();
      rest();
    }

    const calmer = phase('hardly any load', () => simulation.spread({ mean: 5, hot: 0, hotPerSecond: 0 }));
    expect(sum(calmer.byKind, 'hotChunk split', 'hotChunk shift', 'hotNode move', 'hotNode promote')).toBe(0);
    // What hot chunks added, cold neighbours gave back: as many chunks as were asked for.
    for (const name of simulation.namespaces)
      expect(simulation.cluster.state.chunksOf(name)).toHaveLength(size.chunksPerNamespace);
    rest();
  } finally {
    process.stdout.write(`placement simulation of ${size.nodes} nodes, seed ${from}:\n  ${lines.join('\n  ')}\n`);
  }
});
