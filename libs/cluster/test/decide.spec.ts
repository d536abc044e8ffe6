import { commandClockAheadMsMax, commandLifetimeMs, decide } from '../src/decide';
import { payloadLengthMax } from '../src/payload';
import { ClusterState } from '../src/state/state';
import { ClusterScript } from './cluster-script';

const hourMs = 3_600_000;

describe('a command', () => {
  it('repeated with the same id gets the recorded outcome, and nothing changes', () => {
    const script = new ClusterScript().nodes(1);
    const first = script.submit('CreateNamespace', { name: 'shop', chunks: 1 }, { id: 'x' });
    script.nowMs += hourMs;
    expect(script.submit('CreateNamespace', { name: 'shop', chunks: 9 }, { id: 'x' })).toEqual({
      events: [],
      rejection: undefined,
      outcome: first.outcome,
      repeated: true,
    });
    const refused = script.submit('CreateNamespace', { name: '!' }, { id: 'y' });
    expect(script.submit('CreateNamespace', { name: 'fine' }, { id: 'y' })).toMatchObject({
      events: [],
      rejection: refused.rejection,
      repeated: true,
    });
  });

  it('leaves an outcome whether accepted or refused', () => {
    const script = new ClusterScript();
    script.submit('CreateNamespace', { name: '!' }, { id: 'refused' });
    script.submit('InitCluster', { clusterId: 'c-1' }, { id: 'accepted' });
    expect(script.state.outcome('refused')).toMatchObject({ rejectionCode: 'BAD_NAME', change: 'CommandRejected' });
    expect(script.state.outcome('accepted')).toMatchObject({ rejectionCode: null, change: 'CommandAccepted' });
  });

  it('older than 24 h is expired, since its first outcome may be forgotten; one from the future is refused', () => {
    const script = new ClusterScript();
    const at = (submittedAtMs: number): string | undefined =>
      script.submit('InitCluster', { clusterId: 'c-1' }, { submittedAtMs }).rejection?.code;
    expect(at(script.nowMs - commandLifetimeMs)).toBeUndefined();
    expect(at(script.nowMs - commandLifetimeMs - 1)).toBe('COMMAND_EXPIRED');
    expect(at(script.nowMs + commandClockAheadMsMax)).toBeUndefined();
    expect(at(script.nowMs + commandClockAheadMsMax + 1)).toBe('COMMAND_FROM_FUTURE');
  });

  it('has its outcome kept for as long as it may be repeated, and not for ever', () => {
    const script = new ClusterScript();
    const submittedAtMs = script.nowMs + commandClockAheadMsMax;
    script.submit('InitCluster', { clusterId: 'c-1' }, { id: 'early', submittedAtMs });
    for (let i = 0; i < 20; i++) script.submit('InitCluster', { clusterId: 'c-1' });
    script.nowMs = submittedAtMs + commandLifetimeMs;
    for (let i = 0; i < 10; i++) script.submit('InitCluster', { clusterId: 'c-1' });
    expect(script.submit('InitCluster', { clusterId: 'c-1' }, { id: 'early', submittedAtMs }).repeated).toBe(true);
    script.nowMs += 1;
    for (let i = 0; i < 10; i++) script.submit('InitCluster', { clusterId: 'c-1' });
    expect(script.state.outcome('early')).toBeUndefined();
    expect(script.state.counts.outcomes).toBe(20);
    expect(script.submit('InitCluster', { clusterId: 'c-1' }, { id: 'early', submittedAtMs }).rejection?.code).toBe(
      'COMMAND_EXPIRED',
    );
  });

  it.each([
    [
      'of an unknown kind',
      'Nonsense',
      '{}',
      "UNKNOWN_KIND: 'Nonsense' is no command: there are InitCluster, RegisterNode,",
    ],
    ['named like a method', 'constructor', '{}', 'UNKNOWN_KIND'],
    ['that is cut', 'CreateNamespace', '{"name":', 'BAD_COMMAND: the payload of CreateNamespace is not JSON'],
    ['that is a list', 'CreateNamespace', '[]', 'must be a JSON object, not []'],
    ['that is null', 'CreateNamespace', 'null', 'BAD_COMMAND'],
    ['that is a deep list', 'CreateNamespace', '['.repeat(100_000) + ']'.repeat(100_000), 'BAD_COMMAND'],
    ['with a deep field', 'CreateNamespace', `{"name":${'['.repeat(99_999)}${']'.repeat(99_999)}}`, 'BAD_COMMAND'],
    ['with __proto__', 'CreateNamespace', '{"name":"shop","__proto__":{"chunks":3}}', "has no setting '__proto__'"],
    [
      'that is long',
      'CreateNamespace',
      ' '.repeat(payloadLengthMax + 1),
      'TOO_LARGE: the payload has 524289 characters',
    ],
    [
      'of another cluster',
      'InitCluster',
      '{"clusterId":"other"}',
      'ALREADY_INITIALISED: the cluster is c-1, it cannot',
    ],
  ])('%s is refused', (_what, kind, payload, answer) => {
    expect(new ClusterScript().answer(kind, payload)).toContain(answer);
  });

  it('before the cluster is founded waits for a master', () => {
    const script = new ClusterScript({ founded: false });
    expect(script.answer('CreateNamespace', { name: 'shop' })).toMatch(/^NOT_INITIALISED/);
    expect(script.state.clusterId).toBeUndefined();
    expect(script.accept('InitCluster', { clusterId: 'c-1' })).toHaveLength(1);
    expect(script.accept('InitCluster', { clusterId: 'c-1' })).toEqual([]);
  });

  it('is decided without touching the state', () => {
    const state = new ClusterState();
    const command = { id: 'a', kind: 'InitCluster', payload: '{"clusterId":"c"}', principal: 'm', submittedAtMs: 0 };
    const verdict = decide(state, command, { nowMs: 0, seq: 1, term: 1 });
    expect(verdict.events).toHaveLength(2);
    expect(state.seq).toBe(0);
    expect(decide(state, command, { nowMs: 0, seq: 1, term: 1 })).toEqual(verdict);
  });
});
