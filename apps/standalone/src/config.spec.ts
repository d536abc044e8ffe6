import { advertisedPortOf, loadStandaloneSettings } from './config';

it('every node of the one process is told under a port of its own', () => {
  const settings = loadStandaloneSettings({ LEVEE_NODE_ADVERTISED_RESP_PORT: '9400' });
  expect([0, 1, 2].map((index) => advertisedPortOf(settings, index))).toEqual([9_400, 9_401, 9_402]);
  expect(advertisedPortOf(loadStandaloneSettings({}), 2)).toBeUndefined();
});

it.each(['LEVEE_NODE_RESP_PORT', 'LEVEE_NODE_HTTP_PORT', 'LEVEE_NODE_ADVERTISED_RESP_PORT'])(
  '%s leaves ports for all nodes',
  (name) => {
    expect(() => loadStandaloneSettings({ [name]: '65534', LEVEE_NODES: '3' })).toThrow(
      new RegExp(`^${name} is 65534, so the last of 3 nodes would have port 65536: it must be at most 65533`),
    );
    expect(() => loadStandaloneSettings({ [name]: '65533', LEVEE_NODES: '3' })).not.toThrow();
  },
);
