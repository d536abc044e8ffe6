import { splitAddress } from '@levee/kernel';

/** What a started process serves; also written to `doors.json` in its data folder. */
export interface Doors {
  /** host:port */
  readonly resp: string;
  /** URL */
  readonly http: string;
  /** URL of the master */
  readonly master: string;
  /** URL of the dispatcher */
  readonly dispatcher: string;
  readonly nodes: readonly { readonly nodeId: string; readonly resp: string; readonly http: string }[];
}

export interface WelcomeFacts {
  readonly doors: Doors;
  readonly dataDir: string;
  readonly log: string;
  readonly namespace: string;
  /** What a person must mend, in words. */
  readonly problem?: string | undefined;
  /** Of the first user, where authentication is on. */
  readonly operatorTokenFile?: string | undefined;
}

/** The text that greets a person who typed `npm start`: doors, place of the data, three commands to try. */
export function welcome({ doors, dataDir, log, namespace, problem, operatorTokenFile }: WelcomeFacts): string {
  const { host, port } = splitAddress(doors.resp);
  const tls = doors.http.startsWith('https:') ? ' --tls' : '';
  const redisCli = `redis-cli${tls}${host === '127.0.0.1' ? '' : ` -h ${host}`} -p ${port}`;
  const isOpen = operatorTokenFile === undefined;
  const rows: ReadonlyArray<readonly [string, string, string]> = [
    [
      'RESP',
      doors.resp,
      `any Redis client; ${isOpen ? 'the user name of AUTH chooses the namespace' : 'AUTH user password'}`,
    ],
    ['HTTP', doors.http, '/docs lists it; /health/ready and /metrics too'],
    ['master', doors.master, 'control plane: /v1/status'],
    ['dispatcher', doors.dispatcher, 'heals and balances: /v1/explain'],
    ...doors.nodes.map(({ nodeId, resp, http }) => [`node ${nodeId}`, resp, http] as const),
    ['log', log, 'the only truth; everything else is rebuilt from it'],
    ['data', dataDir, ''],
  ];
  const names = Math.max(...rows.map(([name]) => name.length));
  // A long path must not push what is said of the doors out of the window.
  const addresses = rows.filter(([name]) => name !== 'log' && name !== 'data').map(([, value]) => value.length);
  const values = Math.max(...addresses);
  return [
    'Levee serves.',
    ...rows.map(([name, value, note]) => `  ${name.padEnd(names)}  ${value.padEnd(values)}  ${note}`.trimEnd()),
    'Try:',
    ...(isOpen
      ? [`  ${redisCli} SET price 5`, `  ${redisCli} GET price`, `  curl ${doors.http}/v1/kv/${namespace}/price`]
      : signIn(operatorTokenFile, redisCli)),
    ...(problem === undefined ? [] : [problem]),
    'Ctrl-C drains and stops.',
    '',
  ].join('\n');
}

/** The token itself is shown nowhere. */
function signIn(file: string, redisCli: string): string[] {
  return [
    `  export LEVEE_TOKEN=$(cat '${file}')`,
    `  REDISCLI_AUTH=$LEVEE_TOKEN ${redisCli} --user operator SET price 5`,
    '  npx levee user create ann --read default --write default',
  ];
}
