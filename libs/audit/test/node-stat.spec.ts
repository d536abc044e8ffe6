import { readNodeAnswer } from '../src/node-stat';
import { aside, hole, says } from './healthy-cluster';

const answer = {
  ...says(),
  storeId: 's-n1',
  setAside: [{ ...aside, keptFor: { damaged: false, positions: null } }],
  leftUnits: [{ unitId: 'u', generation: 1, folder: '/d', bytes: 1, holds: null }],
};
const [replica] = answer.replicas;
const withReplica = (of: object): object => ({ ...answer, replicas: [{ ...replica, ...of }] });
const position = { partition: 3, nextOffset: 100, ageMs: null, problem: null };

describe('what a node says of itself', () => {
  it.each([
    ['as it is', answer],
    ['with what only newer nodes say', { ...answer, more: { of: 'it' }, ...withReplica({ more: 1 }) }],
    ['of an older node', { storeId: 's', problem: null, disk: null, replicas: [] }],
    ['of a replica that waits', withReplica({ hole: { ...hole, peers: [] } })],
    ['of a witness', withReplica({ positions: [{ ...position, cut: { partition: 3, cutOffset: 1, nextOffset: 9 } }] })],
  ])('%s', (_, said) => {
    expect(readNodeAnswer(JSON.parse(JSON.stringify(said)))).toEqual(JSON.parse(JSON.stringify(said)));
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'OK'],
    ['no replicas', { storeId: 's', problem: null, disk: null }],
    ['a problem that is no text', { ...answer, problem: { text: 'x' } }],
    ['replicas that are none', { ...answer, replicas: [null] }],
    ['a replica without positions', withReplica({ positions: undefined })],
    ['a position that is a text', withReplica({ positions: [{ ...position, nextOffset: '100' }] })],
    ['a position without its offset', withReplica({ positions: [{ ...position, nextOffset: undefined }] })],
    ['a cut without figures', withReplica({ positions: [{ ...position, cut: {} }] })],
    ['a hole without peers', withReplica({ hole: { ...hole, peers: null } })],
    ['a disk without figures', { ...answer, disk: {} }],
    ['files aside that are none', { ...answer, setAside: ['x'] }],
  ])('%s is not what a node says', (_, said) => {
    expect(readNodeAnswer(said)).toBeUndefined();
  });
});
