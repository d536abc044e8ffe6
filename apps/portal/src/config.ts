import { hostname } from 'node:os';
import { join } from 'node:path';
import { Failure } from '@levee/kernel';
import { loadSecurity, securitySettingNames, type Security } from '@levee/service-kit';
import {
  httpNames,
  loadSettings,
  logSettingNames,
  type Environment,
  type LogSettings,
  type Settings,
} from '@levee/settings';

/** What a portal needs to know, from the environment or from the process that hosts it. */
export interface PortalAppConfig {
  readonly instance: string;
  readonly host: string;
  readonly advertisedHost: string;
  /** Names that the HTTP door answers to. */
  readonly httpNames: readonly string[];
  readonly respPort: number;
  readonly httpPort: number;
  readonly topicPrefix: string;
  readonly defaultNamespace: string;
  readonly heartbeatMs: number;
  readonly networkBudgetBytes: number;
  /** Of one address, at each door; `undefined` = no limit. */
  readonly connectionsOfAddressMax?: number | undefined;
  /** Where the token of the first user of a cluster is put, or found. */
  readonly operatorTokenFile: string;
  /** The RESP door does; default: it does. */
  readonly timesRequests?: boolean;
  /** `undefined`: there is none. */
  readonly schemaRegistry?: string | undefined;
  /** For so long after SIGTERM it serves on, and says that it is not ready. */
  readonly noticeMs: number;
}

export const portalSettingNames = [
  'LEVEE_HOST',
  'LEVEE_ADVERTISED_HOST',
  'LEVEE_HTTP_HOSTS',
  'LEVEE_RESP_PORT',
  'LEVEE_HTTP_PORT',
  'LEVEE_INSTANCE',
  'LEVEE_TOPIC_PREFIX',
  'LEVEE_DEFAULT_NAMESPACE',
  'LEVEE_HEARTBEAT',
  'LEVEE_NETWORK_BUDGET',
  'LEVEE_CONNECTIONS_PER_ADDRESS',
  'LEVEE_DATA_DIR',
  'LEVEE_OPERATOR_TOKEN_FILE',
  'LEVEE_SCHEMA_REGISTRY',
  'LEVEE_REQUEST_TIMES',
] as const;

/** `noticeMs` is 0 where nobody stands in between who could send clients to another portal. */
export function portalConfig(
  settings: Settings<(typeof portalSettingNames)[number]>,
  { noticeMs = 0 }: { readonly noticeMs?: number } = {},
): PortalAppConfig {
  return Object.freeze({
    instance: settings.LEVEE_INSTANCE ?? `${hostname()}-${process.pid}`,
    host: settings.LEVEE_HOST,
    advertisedHost: settings.LEVEE_ADVERTISED_HOST ?? settings.LEVEE_HOST,
    httpNames: httpNames(settings),
    respPort: settings.LEVEE_RESP_PORT,
    httpPort: settings.LEVEE_HTTP_PORT,
    topicPrefix: settings.LEVEE_TOPIC_PREFIX,
    defaultNamespace: settings.LEVEE_DEFAULT_NAMESPACE,
    heartbeatMs: settings.LEVEE_HEARTBEAT,
    networkBudgetBytes: settings.LEVEE_NETWORK_BUDGET,
    connectionsOfAddressMax: settings.LEVEE_CONNECTIONS_PER_ADDRESS,
    operatorTokenFile: settings.LEVEE_OPERATOR_TOKEN_FILE ?? join(settings.LEVEE_DATA_DIR, 'operator.token'),
    schemaRegistry: settings.LEVEE_SCHEMA_REGISTRY,
    timesRequests: settings.LEVEE_REQUEST_TIMES === 'on',
    noticeMs,
  });
}

/** Config and log settings of a portal that is a process of its own. */
export function loadPortalConfig(env: Environment): {
  readonly config: PortalAppConfig;
  readonly logSettings: LogSettings;
  readonly security: Security;
} {
  const settings = loadSettings(env, [
    ...portalSettingNames,
    ...logSettingNames,
    ...securitySettingNames,
    'LEVEE_DRAIN_NOTICE',
    'LEVEE_DRAIN_TIMEOUT',
  ]);
  return {
    config: portalConfig(settings, { noticeMs: noticeMs(settings) }),
    logSettings: settings,
    security: loadSecurity(settings, { isAlone: false }),
  };
}

/** Without a setting a fifth of the time that there is to stop. */
function noticeMs({
  LEVEE_DRAIN_NOTICE: wanted,
  LEVEE_DRAIN_TIMEOUT: drainMs,
}: Settings<'LEVEE_DRAIN_NOTICE' | 'LEVEE_DRAIN_TIMEOUT'>): number {
  if (wanted === undefined) return Math.round(drainMs / 5);
  if (wanted * 2 <= drainMs) return wanted;
  throw new Failure(
    'BAD_SETTINGS',
    `LEVEE_DRAIN_NOTICE is ${wanted} ms, more than half of LEVEE_DRAIN_TIMEOUT, ${drainMs} ms, in which requests under way ` +
      `have to end too: set LEVEE_DRAIN_TIMEOUT to at least ${wanted * 2}ms`,
  );
}
