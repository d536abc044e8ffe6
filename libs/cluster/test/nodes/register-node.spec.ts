import { lossAccepted } from '../../src';
import { ClusterScript, MiB, registration } from '../cluster-script';

const unit = (unitId: string, other: Record<string, unknown> = {}) => ({
  unitId,
  capacityBytes: 256 * MiB,
  engine: 'leveldb',
  generation: 0,
  ...other,
});

describe('RegisterNode', () => {
  it('adds the node and its units, free, in generation 0', () => {
    const script = new ClusterScript();
    script.node('n1', { unitCount: 3 });
    expect(script.state.node('n1')).toMatchObject({ state: 'up', change: 'NodeRegistered', domain: 'n1' });
    expect([...script.state.freeUnitsOf('n1')].map((of) => of.unitId)).toEqual(['n1/u00', 'n1/u01', 'n1/u02']);
    expect(script.state.unit('n1/u00')).toMatchObject({ generation: 0, chunkId: null, storeId: 'store-n1' });
  });

  it('is believed from that node alone', () => {
    const script = new ClusterScript();
    for (const principal of ['node n2', 'user/test', 'node n1x', 'master m1'])
      expect(script.submit('RegisterNode', registration('n1'), { principal }).rejection).toMatchObject({
        code: 'FORBIDDEN',
        message: `'${principal}' is not node n1, which alone speaks for its disk and units`,
      });
    expect(script.state.node('n1')).toBeUndefined();
    script.node('n1');
    expect(script.state.node('n1')?.state).toBe('up');
  });

  it('repeated by the same incarnation changes nothing', () => {
    const script = new ClusterScript().nodes(1, 3);
    expect(script.node('n1', { unitCount: 3 })).toEqual([]);
  });

  it('of the same disk by another incarnation is a restart: a new address, the same replicas', () => {
    const script = new ClusterScript().nodes(3);
    script.namespace('shop', { chunks: 4, replicas: 3 });
    const before = script.state.chunksOf('shop');
    const events = script.node('n2', { incarnation: 'run-2', respAddress: 'elsewhere:1' });
    expect(events.map((event) => event.entity.change)).toEqual(['NodeReturned']);
    expect(script.state.node('n2')?.respAddress).toBe('elsewhere:1');
    expect(script.state.node('n2')?.registeredAtMs).toBe(script.nowMs);
    expect(script.state.chunksOf('shop')).toEqual(before);
  });

  it('of another disk under a known name replaces the node while no replica lives on the old disk', () => {
    const script = new ClusterScript().nodes(1, 3);
    const events = script.node('n1', { unitCount: 2, storeId: 'store-new', incarnation: 'run-2' });
    expect(events.map((event) => event.entity.change)).toEqual([
      'NodeReplaced',
      'UnitRemoved',
      'UnitReplaced',
      'UnitReplaced',
    ]);
    expect([...script.state.unitsOf('n1')].map((of) => of.storeId)).toEqual(['store-new', 'store-new']);
    expect(script.state.nodeOfStore('store-n1')).toBeUndefined();
  });

  it('of another disk under a known name is refused while replicas live on the old one', () => {
    const script = new ClusterScript().nodes(3);
    script.namespace('shop', { chunks: 4, replicas: 3 });
    expect(script.answer('RegisterNode', registration('n1', { storeId: 'store-new' }))).toMatch(
      /^STORE_HAS_REPLICAS: .*store-new.*4 units of its disk store-n1 \(last at host-n1:7400\).*n1\/u00.*another nodeId/,
    );
  });

  it('of an empty disk that says which lost one it replaces takes over its replicas, each in the next generation', () => {
    const script = new ClusterScript().nodes(3);
    script.namespace('shop', { chunks: 4, replicas: 3 });
    const payload = registration('n1', { storeId: 'store-new', incarnation: 'run-2', replaces: 'store-n1' });
    script.accept('RegisterNode', payload);
    for (const chunk of script.state.chunksOf('shop')) {
      const replica = chunk.replicas.find((of) => of.nodeId === 'n1');
      expect(replica).toMatchObject({ storeId: 'store-new', generation: 2 });
      expect(script.state.unit(replica?.unitId ?? '')).toMatchObject({
        state: 'allocated',
        storeId: 'store-new',
        generation: 2,
      });
      expect(script.state.route(chunk.chunkId)?.replicas).toContainEqual(replica);
    }
    expect(script.accept('RegisterNode', payload)).toEqual([]);
    expect(script.answer('RegisterNode', { ...payload, storeId: 'store-3', replaces: 'store-n1' })).toMatch(
      /^STORE_HAS_REPLICAS/,
    );
  });

  it('of a disk that another node has registered is refused, naming both addresses', () => {
    const script = new ClusterScript().nodes(1);
    expect(script.answer('RegisterNode', registration('n2', { storeId: 'store-n1' }))).toMatch(
      /^STORE_TAKEN: .*n2 at host-n2:7400 is registered as node n1 at host-n1:7400 \(up\)/,
    );
  });

  it('units grow at any time; they shrink, change engine or go only while free', () => {
    const script = new ClusterScript().nodes(1, 2);
    const [chunk] = script.namespace('shop', { chunks: 1, replicas: 1 });
    const used = chunk?.replicas[0]?.unitId as string;
    const free = used === 'n1/u00' ? 'n1/u01' : 'n1/u00';
    const answer = (...units: unknown[]): string => script.answer('RegisterNode', registration('n1', { units }));
    const small = { capacityBytes: 128 * MiB };
    expect(answer(unit(used, small), unit(free))).toMatch(/^UNIT_IN_USE: .*may only grow/);
    expect(answer(unit(used, { engine: 'memory' }), unit(free))).toMatch(/^UNIT_IN_USE/);
    expect(answer(unit(free))).toMatch(/^UNIT_IN_USE: .*list it, or move the chunk away first/);
    expect(answer(unit(used, { capacityBytes: 512 * MiB }), unit(free, small))).toBe('accepted');
    expect(script.state.unit(used)).toMatchObject({ capacityBytes: 512 * MiB, state: 'allocated', generation: 1 });
    expect(script.state.unit(free)).toMatchObject({ capacityBytes: 128 * MiB, change: 'UnitShrunk' });
    expect(answer(unit(used, { capacityBytes: 512 * MiB }))).toBe('accepted');
    expect(script.state.unit(free)).toBeUndefined();
    expect(script.state.freeUnitCount('n1')).toBe(0);
  });

  it('I10: a generation that this cluster never assigned is refused, an older one is not', () => {
    const script = new ClusterScript().nodes(1, 1);
    script.namespace('shop', { chunks: 1, replicas: 1 });
    const answer = (generation: number): string =>
      script.answer('RegisterNode', registration('n1', { units: [unit('n1/u00', { generation })] }));
    expect(answer(0)).toBe('accepted');
    expect(answer(1)).toBe('accepted');
    expect(answer(2)).toMatch(/^GENERATION_FROM_FUTURE: .*reports generation 2.*assigned 1/);
  });

  describe('once a person let go of what the journal had lost', () => {
    const lost = 40;
    /** As `levee audit repair --accept-loss` leaves it. */
    function letGo(script: ClusterScript): ClusterScript {
      while (script.journal.length < lost - 1) script.submit('Nothing', {});
      const entity = { clusterId: 'c-1', change: lossAccepted, seq: lost, term: 1 };
      script.state.evolve({ kind: 'cluster', entity });
      script.journal.push([]);
      return script;
    }
    const answer = (script: ClusterScript, generation: number, incarnation = 'run-2'): string => {
      const units = [unit('n1/u00', { generation }), unit('n1/u01')];
      return script.answer('RegisterNode', registration('n1', { incarnation, units }));
    };

    it('I10: a free unit in a lost generation comes back, and is given out above every lost one', () => {
      const script = letGo(new ClusterScript().nodes(1, 2));
      expect(answer(script, 7)).toBe('accepted');
      expect(answer(script, 7)).toBe('accepted');
      expect(script.state.unit('n1/u00')).toMatchObject({ state: 'free', generation: 7 });
      script.namespace('shop', { chunks: 2, replicas: 1 });
      for (const unitId of ['n1/u00', 'n1/u01']) expect(script.state.unit(unitId)?.generation).toBe(lost + 1);
      expect(script.state.namespace('shop')?.number).toBe(lost + 1);
    });

    it('a replica whose unit was given away by a lost decision goes on in a new generation, empty', () => {
      const script = new ClusterScript().nodes(2, 1);
      const [chunk] = script.namespace('shop', { chunks: 1, replicas: 2 });
      letGo(script);
      const before = script.state.unit('n1/u00');
      expect(before).toMatchObject({ state: 'allocated', generation: 1 });
      const units = [unit('n1/u00', { generation: 3 })];
      const payload = registration('n1', { incarnation: 'run-2', units });
      expect(script.answer('RegisterNode', payload)).toBe('accepted');
      expect(script.state.unit('n1/u00')).toMatchObject({
        ...before,
        generation: lost + 1,
        seq: lost + 1,
        change: 'UnitReplaced',
      });
      const after = script.state.chunk(chunk!.chunkId)!;
      expect(after.replicas.find(({ nodeId }) => nodeId === 'n1')).toMatchObject({ generation: lost + 1 });
      expect(script.state.route(chunk!.chunkId)?.replicas).toEqual(after.replicas);
      expect(script.accept('RegisterNode', payload)).toEqual([]);
    });

    it('also when the node had been given up meanwhile', () => {
      const script = new ClusterScript().nodes(3, 1);
      const [chunk] = script.namespace('shop', { chunks: 1, replicas: 3 });
      letGo(script);
      const silence = { nodeId: 'n1', incarnation: 'run-1-n1', silentMs: 600_000, observers: ['m1'], reports: [] };
      script.accept('SuspectNode', silence);
      script.accept('LoseNode', silence);
      expect(script.state.chunk(chunk!.chunkId)!.replicas.find(({ nodeId }) => nodeId === 'n1')?.role).toBe('dead');
      const units = [unit('n1/u00', { generation: 3 })];
      expect(script.answer('RegisterNode', registration('n1', { incarnation: 'run-2', units }))).toBe('accepted');
      const replica = script.state.chunk(chunk!.chunkId)!.replicas.find(({ nodeId }) => nodeId === 'n1');
      expect(replica).toMatchObject({ role: 'follower', generation: lost + 1 });
    });

    it('a unit that the state wants cleared is free: its disk cleared it for a lost decision', () => {
      const script = new ClusterScript().nodes(1, 2);
      const [chunk] = script.namespace('shop', { chunks: 1, replicas: 1 });
      const { unitId } = chunk!.replicas[0]!;
      script.accept('DeleteNamespace', { name: 'shop' });
      expect(script.state.unit(unitId)?.state).toBe('reclaiming');
      letGo(script);
      const units = ['n1/u00', 'n1/u01'].map((id) => unit(id, { generation: id === unitId ? 2 : 0 }));
      expect(script.answer('RegisterNode', registration('n1', { incarnation: 'run-2', units }))).toBe('accepted');
      expect(script.state.unit(unitId)).toMatchObject({ state: 'free', generation: 2, chunkId: null });
    });

    it('a generation above all that was let go is refused as ever', () => {
      const script = letGo(new ClusterScript().nodes(1, 2));
      expect(answer(script, lost + 1)).toMatch(/^GENERATION_FROM_FUTURE: .*levee doctor$/);
      expect(answer(script, lost)).toBe('accepted');
    });
  });

  it.each([
    [{ nodeId: 'N1' }, 'BAD_NAME'],
    [{ nodeId: '' }, 'BAD_COMMAND: RegisterNode.nodeId is "", it must be a text of 1 to 63'],
    [{ respAddress: 'nowhere' }, "BAD_COMMAND: respAddress is 'nowhere', it must be host:port"],
    [{ httpAddress: 'host:70000' }, 'BAD_COMMAND: httpAddress'],
    [{ featureLevel: 0 }, 'BAD_COMMAND: RegisterNode.featureLevel is 0, it must be an integer from 1'],
    [{ units: 'many' }, 'BAD_COMMAND: RegisterNode.units is "many", it must be a list'],
    [{ units: [7] }, 'BAD_COMMAND: RegisterNode.units[0] is 7, it must be an object'],
    [{ units: [unit('n2/u00')] }, "BAD_NAME: unit 'n2/u00' of node n1 must be named as in n1/u03"],
    [{ units: [unit('n1/u00'), unit('n1/u00')] }, 'BAD_COMMAND: unit n1/u00 is listed twice'],
    [{ units: [unit('n1/u00', { engine: 'rocks' })] }, 'engine is "rocks", it must be one of leveldb, memory'],
    [{ units: [unit('n1/u00', { capacityBytes: 1 })] }, 'capacityBytes is 1, it must be an integer from 65536'],
    [{ units: [unit('n1/u00', { color: 1 })] }, "has no field 'color'"],
    [{ shoe: 43 }, "BAD_COMMAND: RegisterNode has no field 'shoe'"],
  ])('refuses %j', (wrong, message) => {
    const script = new ClusterScript();
    expect(script.answer('RegisterNode', registration('n1', { unitCount: 1, ...wrong }))).toContain(message);
    expect(script.state.counts.nodes).toBe(0);
  });
});
