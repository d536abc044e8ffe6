import { parseAddress } from '@levee/kernel';
import {
  byteSize,
  duration,
  flag,
  httpUrl,
  integer,
  list,
  oneOf,
  port,
  text,
  type AppName,
  type Setting,
} from './setting-types';

/** Which port is meant by an IPv6 address without brackets nobody can tell. */
const isBroker = (item: string): boolean => (parseAddress(item)?.port ?? 0) > 0;

const everyServer: readonly AppName[] = ['master', 'data-node', 'portal', 'dispatcher', 'standalone'];
const aName = text('letters, digits, dot, dash, underscore', /^[A-Za-z0-9._-]+$/);

const setting = <T>(
  type: Pick<Setting<T>, 'schema' | 'allowed'>,
  fallback: string,
  apps: readonly AppName[],
  meaning: string,
): Setting<T> => ({ ...type, default: fallback, apps, meaning });

const optional = <T>(
  type: Pick<Setting<T>, 'schema' | 'allowed'>,
  apps: readonly AppName[],
  meaning: string,
  secret = false,
): Setting<T | undefined> => ({ ...type, default: undefined, apps, meaning, secret });

/** Every setting of every process: `levee config` prints this table, `loadSettings` reads the environment by it. */
export const settingsTable = {
  LEVEE_DATA_DIR: setting(
    text('a folder'),
    '.levee',
    ['data-node', 'standalone', 'portal', 'master', 'dispatcher', 'cli'],
    'folder of the embedded log and of the nodes',
  ),
  LEVEE_HOST: setting(text('an address to listen on'), '127.0.0.1', everyServer, 'address that every door listens on'),
  LEVEE_ADVERTISED_HOST: optional(
    text('a host name or address', /^[A-Za-z0-9.:_-]+$/),
    everyServer,
    'host that others reach this process by; default LEVEE_HOST',
  ),
  LEVEE_HTTP_HOSTS: optional(
    list('names without port, separated by commas', (item) => /^[A-Za-z0-9._-]+$/.test(item)),
    everyServer,
    'names in the Host header that HTTP doors answer to, beside addresses, localhost, the name of the machine, LEVEE_HOST and LEVEE_ADVERTISED_HOST: a name that is not known may be one that a web page has bound to this address',
  ),
  LEVEE_AUTH: optional(
    oneOf(['on', 'off']),
    everyServer,
    'whether doors ask who somebody is, and let users do what their rights say; off: whoever reaches a door may do everything',
  ),
  LEVEE_CLUSTER_KEY_FILE: optional(
    text('a file'),
    [...everyServer, 'cli'],
    'file with the secret by which processes of one cluster know each other, the same for all of them; needed with LEVEE_AUTH=on, except by npm start',
  ),
  LEVEE_OPERATOR_TOKEN_FILE: optional(
    text('a file'),
    ['portal', 'standalone'],
    'where a portal of a cluster without users puts the token of the first one, who may do everything, or finds it; default operator.token in LEVEE_DATA_DIR',
  ),
  LEVEE_USERS_BELIEVED: setting(
    duration({ min: '1s', max: '365d' }),
    '10m',
    everyServer,
    'how long a process that is cut off from the log goes on believing its users, since it cannot hear of what was taken from them: reads survive an outage of the log of this length',
  ),
  LEVEE_OIDC_ISSUER: optional(
    text('an issuer'),
    everyServer,
    'provider of OpenID whose tokens (JWT) stand for users, as the claim iss has it',
  ),
  LEVEE_OIDC_AUDIENCE: optional(
    text('an audience'),
    everyServer,
    'whom these tokens must be for, as their claim aud has it',
  ),
  LEVEE_OIDC_JWKS: optional(
    text('a file, or an https URL', /^(?!http:\/\/(?!(127\.0\.0\.1|localhost|\[::1\])(:|\/)))[^\s]+$/),
    everyServer,
    'keys of the provider (JSON Web Key Set), read again every 10 minutes, and when a token names another key',
  ),
  LEVEE_OIDC_USER_CLAIM: setting(
    text('a claim', /^[A-Za-z0-9_:./-]{1,128}$/),
    'sub',
    everyServer,
    'claim of these tokens that has the name of the user, who must be one of the cluster',
  ),
  LEVEE_TLS_CERT: optional(
    text('a PEM file'),
    [...everyServer, 'cli'],
    'certificate of this process, and those between it and its authority: with it every door speaks TLS and nothing else; read anew when it changes. Of the command line: its client certificate',
  ),
  LEVEE_TLS_KEY: optional(text('a PEM file'), [...everyServer, 'cli'], 'private key of that certificate'),
  LEVEE_TLS_CA: optional(
    text('a PEM file'),
    [...everyServer, 'cli'],
    'authorities whose certificates are believed, of clients and of other processes of the cluster; default for calls those that Node trusts',
  ),
  LEVEE_TLS_MIN_VERSION: setting(
    oneOf(['TLSv1.2', 'TLSv1.3']),
    'TLSv1.2',
    everyServer,
    'oldest version of TLS that doors speak, and that other processes are called with',
  ),
  LEVEE_TLS_CLIENT_AUTH: optional(
    oneOf(['none', 'requested', 'required']),
    everyServer,
    'whether doors ask clients for a certificate, which stands for the user of its common name; default requested where LEVEE_TLS_CA is set',
  ),
  LEVEE_TLS_CLUSTER_NAME: optional(
    text('a common name', /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/),
    everyServer,
    'common name of the certificates of all processes of the cluster: who shows one, signed by LEVEE_TLS_CA, is of the cluster; in place of LEVEE_CLUSTER_KEY_FILE',
  ),
  LEVEE_CONNECTIONS_PER_ADDRESS: optional(
    integer({ min: 1, max: 1_000_000 }),
    ['data-node', 'portal', 'standalone'],
    'most connections that one address may have at each door of a portal, and at the RESP door of a data node, where those that have proved to be processes of the cluster do not count; default no limit, since many clients may come from one',
  ),
  LEVEE_RESP_PORT: setting(port(), '7379', ['portal', 'standalone'], 'RESP door of the portal; 0 = any free port'),
  LEVEE_HTTP_PORT: setting(port(), '7380', ['portal', 'standalone'], 'HTTP door of the portal; 0 = any free port'),
  LEVEE_MASTER_PORT: setting(port(), '7381', ['master', 'standalone'], 'HTTP door of the master; 0 = any free port'),
  LEVEE_DISPATCHER_PORT: setting(
    port(),
    '7382',
    ['dispatcher', 'standalone'],
    'HTTP door of the dispatcher; 0 = any free port',
  ),
  LEVEE_NODE_RESP_PORT: setting(
    port(),
    '7400',
    ['data-node', 'standalone'],
    'RESP port of the first data node, the others follow; 0 = any free ports',
  ),
  LEVEE_NODE_HTTP_PORT: setting(
    port(),
    '7500',
    ['data-node', 'standalone'],
    'HTTP port of the first data node, the others follow; 0 = any free ports',
  ),
  LEVEE_NODE_ADVERTISED_RESP_PORT: optional(
    integer({ min: 1, max: 65_535 }),
    ['data-node', 'standalone'],
    'port that portals reach the RESP door of the first data node by, where something stands in between, the others follow; default its own',
  ),
  LEVEE_SCHEMA_REGISTRY: optional(
    httpUrl('an http URL, with user:password@ where the registry asks for them'),
    ['portal', 'standalone'],
    'schema registry (API of Confluent) by which the HTTP door says framed values as JSON',
    true,
  ),
  LEVEE_REQUEST_TIMES: setting(
    oneOf(['on', 'off']),
    'on',
    ['portal', 'standalone'],
    'whether the RESP door times requests for metrics: by kind, outcome and namespace',
  ),
  LEVEE_NODES: setting(integer({ min: 1, max: 64 }), '3', ['standalone'], 'data nodes in the one process'),
  LEVEE_NODE_ID: setting(aName, 'n1', ['data-node'], 'name of this data node, unique in the cluster'),
  LEVEE_INSTANCE: optional(
    aName,
    ['master', 'portal', 'dispatcher'],
    'name of this master, portal or dispatcher; default host and process id',
  ),
  LEVEE_UNITS: setting(
    text('a list of <count>x<size>:<leveldb|memory>'),
    '32x256MiB:leveldb',
    ['data-node', 'standalone'],
    'storage units each data node offers',
  ),
  LEVEE_DOMAIN: optional(aName, ['data-node'], 'failure domain of the node; default the node id'),
  LEVEE_TOPIC_PREFIX: setting(aName, 'levee', [...everyServer, 'cli'], 'first part of every topic name'),
  LEVEE_DEFAULT_NAMESPACE: setting(
    text('a namespace name'),
    'default',
    ['standalone', 'portal'],
    'namespace of connections that name none; standalone creates it',
  ),
  LEVEE_PARTITIONS: optional(
    integer({ min: 1, max: 1_000_000 }),
    ['standalone'],
    'binlog partitions of the default namespace',
  ),
  LEVEE_CHUNKS: optional(integer({ min: 1, max: 4096 }), ['standalone'], 'chunks of the default namespace'),
  LEVEE_REPLICAS: optional(
    integer({ min: 1, max: 16 }),
    ['standalone'],
    'replicas of each chunk of the default namespace; default the smaller of 3 and the nodes',
  ),
  LEVEE_LOG_LEVEL: setting(
    oneOf(['debug', 'info', 'warn', 'error', 'silent']),
    'info',
    everyServer,
    'least severity of what is logged',
  ),
  LEVEE_LOG_FORMAT: setting(
    oneOf(['auto', 'text', 'json']),
    'auto',
    everyServer,
    'how lines of the log are written; auto = text on a terminal, JSON elsewhere',
  ),
  LEVEE_DRAIN_TIMEOUT: setting(
    duration({ min: '100ms', max: '1h' }),
    '10s',
    everyServer,
    'longest time from SIGTERM to the end of the process',
  ),
  LEVEE_DRAIN_NOTICE: optional(
    duration({ min: '0ms', max: '30m' }),
    ['portal'],
    'of it, how long a portal serves on after SIGTERM and says that it is not ready: as long as whatever sends clients to portals takes to see that; default a fifth of LEVEE_DRAIN_TIMEOUT',
  ),
  LEVEE_MEMORY_BUDGET: setting(
    byteSize(),
    '128MiB',
    ['data-node', 'standalone'],
    'caches, write buffers and network buffers of one data node',
  ),
  LEVEE_NETWORK_BUDGET: setting(
    byteSize({ min: '64MiB', max: '1TiB' }),
    '256MiB',
    ['portal', 'standalone'],
    'what clients of the portal may have on their way through its doors: commands and bodies, and answers that they have not taken',
  ),
  LEVEE_COPY_BYTES_PER_SECOND: optional(
    byteSize(),
    ['data-node', 'standalone'],
    'most bytes a second that copies put into the units of one data node; default no limit',
  ),
  LEVEE_DIGEST_BYTES_PER_SECOND: optional(
    byteSize(),
    ['data-node', 'standalone'],
    'most bytes a second that digests and sweeps of one data node read; default no limit',
  ),
  LEVEE_HEARTBEAT: setting(duration({ min: '10ms', max: '60s' }), '300ms', everyServer, 'time between two heartbeats'),
  LEVEE_MASTER_SILENCE: setting(
    duration({ min: '50ms', max: '1h' }),
    '1200ms',
    ['master', 'standalone'],
    'silence of the active master after which a standby claims',
  ),
  LEVEE_LOST_AFTER: setting(
    duration({ min: '100ms', max: '365d' }),
    '10m',
    ['master', 'standalone'],
    'silence after which a suspect node is given up: its replicas are dead until it returns',
  ),
  LEVEE_PLAN_STALL: setting(
    duration({ min: '100ms', max: '30d' }),
    '60s',
    ['master', 'standalone'],
    'a plan whose replicas make no progress for so long has failed, and is tried again',
  ),
  LEVEE_PLAN_OBSERVE: setting(
    duration({ min: '0ms', max: '7d' }),
    '10m',
    ['master', 'standalone'],
    'time after a switch during which a plan can be rolled back, where its proposal names none',
  ),
  LEVEE_BARRIER_INTERVAL: setting(
    duration({ min: '100ms', max: '1d' }),
    '5s',
    ['master', 'standalone'],
    'time between two barriers of a binlog partition that is written to',
  ),
  LEVEE_DISPATCH_INTERVAL: setting(
    duration({ min: '10ms', max: '1d' }),
    '5s',
    ['dispatcher', 'standalone'],
    'time between two looks of the dispatcher at state and load',
  ),
  LEVEE_SETTLE_TIME: setting(
    duration({ min: '10ms', max: '30d' }),
    '60s',
    ['dispatcher', 'standalone'],
    'how long a chunk or node must be hot before the dispatcher acts; a full chunk a sixth, cold neighbours ten times of it',
  ),
  LEVEE_COOL_DOWN: setting(
    duration({ min: '10ms', max: '365d' }),
    '10m',
    ['dispatcher', 'standalone'],
    'how long the dispatcher leaves a chunk alone after a plan changed it; lost replicas are replaced at once all the same',
  ),
  LEVEE_HOT_CHUNK: setting(
    integer({ min: 1, max: 1_000_000_000 }),
    '10000',
    ['dispatcher', 'standalone'],
    'requests per second from which a chunk is hot: it is split, or gives slots to a cold neighbour',
  ),
  LEVEE_HOT_NODE: setting(
    integer({ min: 1, max: 1_000_000_000 }),
    '2000',
    ['dispatcher', 'standalone'],
    'requests per second below which a node is never hot, however uneven the load is',
  ),
  LEVEE_PROOF: setting(
    oneOf(['on', 'off']),
    'on',
    ['dispatcher', 'standalone'],
    'whether the replicas of each chunk are compared with each other and with the log, again and again',
  ),
  LEVEE_PROOF_INTERVAL: setting(
    duration({ min: '1s', max: '7d' }),
    '1d',
    ['dispatcher', 'standalone'],
    'time within which each chunk is compared with its log again',
  ),
  LEVEE_PROOF_BYTES_PER_SECOND: setting(
    byteSize(),
    '1MiB',
    ['dispatcher', 'standalone'],
    'most bytes of binlogs a second that are read to compare chunks with their logs; 0B = no limit',
  ),
  LEVEE_RECLAIM_INTERVAL: setting(
    duration({ min: '1m', max: '7d' }),
    '12h',
    ['master', 'standalone'],
    'time after which the active master claims again, so that the broker does not forget its identity',
  ),
  LEVEE_TOPIC_CHECK: setting(
    duration({ min: '100ms', max: '1d' }),
    '60s',
    ['master', 'standalone'],
    'time between two checks of topics, brokers and open transactions',
  ),
  LEVEE_HISTORY_WINDOW: setting(
    duration({ min: '1s', max: '3650d' }),
    '7d',
    ['standalone'],
    'history window of the default namespace',
  ),
  LEVEE_CONTROL_COMPACTION_LAG: setting(
    duration({ min: '1s', max: '30d' }),
    '1h',
    ['master', 'standalone'],
    'max.compaction.lag.ms of the compacted control topics',
  ),
  LEVEE_CONTROL_SEGMENT: setting(
    byteSize(),
    '16MiB',
    ['master', 'standalone'],
    'segment.bytes of the compacted control topics',
  ),
  LEVEE_REPLICATION_FACTOR: optional(
    integer({ min: 1, max: 15 }),
    everyServer,
    'replication factor of new topics on Kafka; default the smaller of 3 and the brokers',
  ),
  LEVEE_URL: setting(
    httpUrl('an http URL'),
    'http://127.0.0.1:7380',
    ['cli'],
    'HTTP door that the command line talks to',
  ),
  LEVEE_TOKEN: optional(text('a token'), ['cli'], 'token that the command line proves itself with', true),
  KAFKA_BROKERS: optional(
    list('host:port or [IPv6 address]:port, separated by commas', isBroker),
    [...everyServer, 'cli'],
    'Kafka that holds the log; not set: the embedded log',
  ),
  KAFKA_TLS: setting(flag(), 'false', [...everyServer, 'cli'], 'talk to Kafka over TLS'),
  KAFKA_TLS_CA: optional(
    text('a PEM file'),
    [...everyServer, 'cli'],
    "certificate authority of Kafka's certificates; default those that Node trusts",
  ),
  KAFKA_TLS_CERT: optional(text('a PEM file'), [...everyServer, 'cli'], 'client certificate for Kafka'),
  KAFKA_TLS_KEY: optional(text('a PEM file'), [...everyServer, 'cli'], 'private key of the client certificate'),
  KAFKA_SASL_MECHANISM: optional(
    oneOf(['plain', 'scram-sha-256', 'scram-sha-512']),
    [...everyServer, 'cli'],
    'SASL mechanism for Kafka',
  ),
  KAFKA_SASL_USERNAME: optional(text('a user name'), [...everyServer, 'cli'], 'SASL user for Kafka'),
  KAFKA_SASL_PASSWORD: optional(text('a password'), [...everyServer, 'cli'], 'SASL password for Kafka', true),
  KAFKA_SASL_PASSWORD_FILE: optional(
    text('a file'),
    [...everyServer, 'cli'],
    'file that holds the SASL password for Kafka, in place of KAFKA_SASL_PASSWORD',
  ),
} as const;

export type SettingName = keyof typeof settingsTable;
type SettingValue<N extends SettingName> = (typeof settingsTable)[N] extends Setting<infer T> ? T : never;
export type Settings<N extends SettingName> = { readonly [K in N]: SettingValue<K> };

export const settingNames = Object.keys(settingsTable) as readonly SettingName[];
