import { loadSecurity, securitySettingNames, type Security } from '@levee/service-kit';
import {
  httpNames,
  loadSettings,
  logSettingNames,
  type Environment,
  type LogSettings,
  type Settings,
} from '@levee/settings';

/** What a data node needs to know, from the environment or from the process that hosts it. */
export interface DataNodeAppConfig {
  readonly nodeId: string;
  /** Folder of this node alone. */
  readonly folder: string;
  /** `32x256MiB:leveldb`. */
  readonly units: string;
  /** Failure domain. */
  readonly domain: string;
  readonly host: string;
  readonly advertisedHost: string;
  /** Names that the HTTP door answers to. */
  readonly httpNames: readonly string[];
  readonly respPort: number;
  /** Told to portals in place of the port that the RESP door has. */
  readonly advertisedRespPort: number | undefined;
  readonly httpPort: number;
  readonly topicPrefix: string;
  readonly memoryBudgetBytes: number;
  readonly heartbeatMs: number;
  /** 0 = no limit. */
  readonly copyBytesPerSecond: number;
  readonly digestBytesPerSecond: number;
  readonly connectionsOfAddressMax: number | undefined;
}

export const dataNodeSettingNames = [
  'LEVEE_DATA_DIR',
  'LEVEE_HOST',
  'LEVEE_ADVERTISED_HOST',
  'LEVEE_HTTP_HOSTS',
  'LEVEE_NODE_ID',
  'LEVEE_NODE_RESP_PORT',
  'LEVEE_NODE_ADVERTISED_RESP_PORT',
  'LEVEE_NODE_HTTP_PORT',
  'LEVEE_UNITS',
  'LEVEE_DOMAIN',
  'LEVEE_TOPIC_PREFIX',
  'LEVEE_MEMORY_BUDGET',
  'LEVEE_HEARTBEAT',
  'LEVEE_COPY_BYTES_PER_SECOND',
  'LEVEE_DIGEST_BYTES_PER_SECOND',
  'LEVEE_CONNECTIONS_PER_ADDRESS',
] as const;

export function dataNodeConfig(settings: Settings<(typeof dataNodeSettingNames)[number]>): DataNodeAppConfig {
  const nodeId = settings.LEVEE_NODE_ID;
  return Object.freeze({
    nodeId,
    folder: `${settings.LEVEE_DATA_DIR}/${nodeId}`,
    units: settings.LEVEE_UNITS,
    domain: settings.LEVEE_DOMAIN ?? nodeId,
    host: settings.LEVEE_HOST,
    advertisedHost: settings.LEVEE_ADVERTISED_HOST ?? settings.LEVEE_HOST,
    httpNames: httpNames(settings),
    respPort: settings.LEVEE_NODE_RESP_PORT,
    advertisedRespPort: settings.LEVEE_NODE_ADVERTISED_RESP_PORT,
    httpPort: settings.LEVEE_NODE_HTTP_PORT,
    topicPrefix: settings.LEVEE_TOPIC_PREFIX,
    memoryBudgetBytes: settings.LEVEE_MEMORY_BUDGET,
    heartbeatMs: settings.LEVEE_HEARTBEAT,
    copyBytesPerSecond: settings.LEVEE_COPY_BYTES_PER_SECOND ?? 0,
    digestBytesPerSecond: settings.LEVEE_DIGEST_BYTES_PER_SECOND ?? 0,
    connectionsOfAddressMax: settings.LEVEE_CONNECTIONS_PER_ADDRESS,
  });
}

/** Config and log settings of a data node that is a process of its own. */
export function loadDataNodeConfig(env: Environment): {
  readonly config: DataNodeAppConfig;
  readonly logSettings: LogSettings;
  readonly security: Security;
} {
  const settings = loadSettings(env, [...dataNodeSettingNames, ...logSettingNames, ...securitySettingNames]);
  return {
    config: dataNodeConfig(settings),
    logSettings: settings,
    security: loadSecurity(settings, { isAlone: false }),
  };
}
