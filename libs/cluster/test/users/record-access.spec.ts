import { ClusterScript } from '../cluster-script';

test.each<readonly [payload: object, answer: string | RegExp]>([
  [{ what: 'GET /v1/log/levee.journal/0' }, 'accepted'],
  [{ what: 'x'.repeat(1_000) }, 'accepted'],
  [{ what: 'x'.repeat(1_001) }, /^BAD_COMMAND.*1 to 1,?000 characters/],
  [{ what: '' }, /^BAD_COMMAND/],
  [{}, /^BAD_COMMAND.*missing/],
  [{ what: 'a', principal: 'user somebody-else' }, /^BAD_COMMAND.*'principal'/],
])('RecordAccess %j: %s', (payload, answer) => {
  const script = new ClusterScript();
  const { outcomes: _one, ...before } = script.state.counts;
  expect(script.answer('RecordAccess', payload)).toMatch(answer);
  expect(script.state.counts).toMatchObject(before);
});
