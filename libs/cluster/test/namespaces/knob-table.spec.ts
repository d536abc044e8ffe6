import { fixedKnobs } from '../../src/commands/namespaces/alter-namespace';
import { needsHeardLevels } from '../../src/commands/heard-levels';
import { namespaceVersion } from '../../src/commands/namespaces/newer-words';
import { knobTable, viewKnobs, type Allowed } from '../../src/views/knob-table';
import { ClusterScript } from '../cluster-script';

/** What the decider says to a namespace with this one setting. */
function answer(knob: string, value: unknown): string {
  const script = new ClusterScript().nodes(3, 64);
  return script.answer('CreateNamespace', { name: 'shop', [knob]: value });
}

/** Some that are allowed. */
function valuesOf(allowed: Allowed): readonly unknown[] {
  if ('oneOf' in allowed) return allowed.oneOf;
  return 'someOf' in allowed ? [allowed.someOf] : [allowed.min, allowed.min + 1];
}

const refused = /^(BAD_KNOB|BAD_COMMAND)/;
const ranges = Object.entries(knobTable).filter(
  (entry): entry is [string, Extract<Allowed, { min: number }>] => 'min' in entry[1],
);

describe('the table of knobs says what deciders do', () => {
  it.each(ranges)('%s', (knob, { min, max, orNone }) => {
    expect(answer(knob, min - 1)).toMatch(refused);
    expect(answer(knob, max + 1)).toMatch(refused);
    expect(answer(knob, min)).not.toMatch(refused);
    // The highest may need more than this cluster has, but is a possible value.
    expect(answer(knob, max)).not.toMatch(/it must be|to \d/);
    if (orNone) expect(answer(knob, null)).toBe('accepted');
  });

  it('choices', () => {
    for (const [knob, allowed] of Object.entries(knobTable)) {
      if (!('oneOf' in allowed)) continue;
      for (const value of allowed.oneOf) expect([knob, value, answer(knob, value)]).toEqual([knob, value, 'accepted']);
      expect(answer(knob, typeof allowed.oneOf[0] === 'number' ? 3 : 'other')).toMatch(refused);
    }
    expect(answer('manualPlans', ['move', 'split'])).toBe('accepted');
    expect(answer('manualPlans', ['dance'])).toMatch(refused);
  });

  it('each can be altered, or it is said why not', () => {
    const script = new ClusterScript().nodes(3, 64);
    script.accept('CreateNamespace', { name: 'shop' });
    script.accept('ActivateNamespace', { name: 'shop', number: 1 });
    for (const [knob, allowed] of Object.entries(knobTable)) {
      const now: unknown = script.state.namespace('shop')?.[knob as keyof typeof knobTable];
      const [other] = valuesOf(allowed).filter((value) => value !== now);
      // There is but one partition strategy.
      if (other === undefined) continue;
      const said = script.answer('AlterNamespace', { name: 'shop', [knob]: other });
      expect([knob, said]).toEqual([knob, knob in fixedKnobs ? expect.stringMatching(/^KNOB_FIXED/) : 'accepted']);
    }
  });

  it('what is written in a version that not everybody reads says who was heard, and waits for them', () => {
    const script = new ClusterScript().nodes(3, 64);
    script.accept('CreateNamespace', { name: 'shop' });
    script.accept('ActivateNamespace', { name: 'shop', number: 1 });
    script.node('old', { featureLevel: 1 });
    const newer: string[] = [];
    for (const [knob, allowed] of Object.entries(knobTable))
      for (const value of valuesOf(allowed)) {
        const namespace = { ...script.state.namespace('shop')!, [knob]: value };
        if (namespaceVersion(namespace) === 1) continue;
        newer.push(knob);
        for (const kind of ['CreateNamespace', 'AlterNamespace']) {
          const payload = { name: kind === 'CreateNamespace' ? 'other' : 'shop', [knob]: value };
          expect([kind, knob, needsHeardLevels(kind, payload)]).toEqual([kind, knob, true]);
          const said = kind === 'AlterNamespace' && knob in fixedKnobs ? /^KNOB_FIXED/ : /^NODE_TOO_OLD/;
          expect([kind, knob, script.answer(kind, payload)]).toEqual([kind, knob, expect.stringMatching(said)]);
        }
      }
    expect(newer).toEqual(['hashAlgorithm', 'hashAlgorithm', 'recordFormat', 'multi', 'flush']);
  });

  it('one that older processes cannot read waits for them', () => {
    const script = new ClusterScript().nodes(2, 64);
    script.node('old', { featureLevel: 2 });
    script.accept('CreateNamespace', { name: 'shop', multi: 'refuse' });
    script.accept('ActivateNamespace', { name: 'shop', number: 1 });
    const tooOld = 'NODE_TOO_OLD: node old reads records of feature level 2, multi batch needs 3: upgrade it first';
    expect(script.answer('AlterNamespace', { name: 'shop', multi: 'batch' })).toBe(tooOld);
    expect(script.answer('CreateNamespace', { name: 'other', multi: 'batch' })).toBe(tooOld);
    expect(script.state.namespace('shop')).toMatchObject({ multi: 'refuse', flush: 'refuse' });
    expect(script.answer('AlterNamespace', { name: 'shop', multi: 'refuse', ack: 'all' })).toBe('accepted');
    script.node('old', { featureLevel: 3, incarnation: 'run-2-old' });
    expect(script.answer('AlterNamespace', { name: 'shop', multi: 'batch' })).toBe('accepted');
    expect(script.state.namespace('shop')).toMatchObject({ multi: 'batch', ack: 'all' });
    // It is there already: nothing more is asked of whoever comes.
    script.node('older', { featureLevel: 2 });
    expect(script.answer('AlterNamespace', { name: 'shop', ack: 'logged' })).toBe('accepted');
    expect(script.answer('AlterNamespace', { name: 'shop', multi: 'refuse' })).toBe('accepted');
  });

  it('shows each knob of a namespace with its value and why it stays', () => {
    const script = new ClusterScript().nodes(3, 64);
    script.namespace('shop', { requestsPerSecond: 50 });
    const knobs = viewKnobs(script.state.namespace('shop')!);
    expect(knobs).toContainEqual({
      knob: 'requestsPerSecond',
      value: 50,
      allowed: '1 to 1000000000 requests/s, or none',
      fixedBecause: null,
    });
    const partitions = knobs.find(({ knob }) => knob === 'partitions');
    expect(partitions?.allowed).toMatch(/^1 \| 2 \| 4 \| 5 /);
    expect(partitions?.fixedBecause).toMatch(/^slots belong to partitions for ever/);
    expect(knobs.map(({ knob }) => knob)).toContain('manualPlans');
  });
});
