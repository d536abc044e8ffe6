import { welcome } from './welcome';

it('greets with doors, the place of the data and three commands to try', () => {
  const text = welcome({
    doors: {
      resp: '127.0.0.1:7379',
      http: 'http://127.0.0.1:7380',
      master: 'http://127.0.0.1:7381',
      dispatcher: 'http://127.0.0.1:7382',
      nodes: [{ nodeId: 'n1', resp: '127.0.0.1:7400', http: 'http://127.0.0.1:7500' }],
    },
    dataDir: '/var/lib/levee',
    log: 'embedded /var/lib/levee/log',
    namespace: 'default',
  });
  expect(text).toBe(`Levee serves.
  RESP        127.0.0.1:7379         any Redis client; the user name of AUTH chooses the namespace
  HTTP        http://127.0.0.1:7380  /docs lists it; /health/ready and /metrics too
  master      http://127.0.0.1:7381  control plane: /v1/status
  dispatcher  http://127.0.0.1:7382  heals and balances: /v1/explain
  node n1     127.0.0.1:7400         http://127.0.0.1:7500
  log         embedded /var/lib/levee/log  the only truth; everything else is rebuilt from it
  data        /var/lib/levee
Try:
  redis-cli -p 7379 SET price 5
  redis-cli -p 7379 GET price
  curl http://127.0.0.1:7380/v1/kv/default/price
Ctrl-C drains and stops.
`);
});

it('does not hide what a person must mend', () => {
  const doors = { resp: 'a:1', http: 'http://a:2', master: 'http://a:3', dispatcher: 'http://a:4', nodes: [] };
  const text = welcome({ doors, dataDir: '/d', log: 'l', namespace: 'n', problem: 'JOURNAL_SHORT: it lost its end' });
  expect(text).toContain('\nJOURNAL_SHORT: it lost its end\n');
});
