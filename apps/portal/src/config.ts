import { hostname } from 'node:os';
import { loadSettings, logSettingNames, type Environment, type LogSettings, type Settings } from '@levee/service-kit';

/** What a portal needs to know, from the environment or from the process that hosts it. */
export interface PortalAppConfig {
  readonly instance: string;
  readonly host: string;
  readonly advertisedHost: string;
  readonly respPort: number;
  readonly httpPort: number;
  readonly topicPrefix: string;
  readonly defaultNamespace: string;
  readonly heartbeatMs: number;
  readonly networkBudgetBytes: number;
}

export const portalSettingNames = [
  'LEVEE_HOST',
  'LEVEE_ADVERTISED_HOST',
  'LEVEE_RESP_PORT',
  'LEVEE_HTTP_PORT',
  'LEVEE_INSTANCE',
  'LEVEE_TOPIC_PREFIX',
  'LEVEE_DEFAULT_NAMESPACE',
  'LEVEE_HEARTBEAT',
  'LEVEE_NETWORK_BUDGET',
] as const;

export function portalConfig(settings: Settings<(typeof portalSettingNames)[number]>): PortalAppConfig {
  return Object.freeze({
    instance: settings.LEVEE_INSTANCE ?? `${hostname()}-${process.pid}`,
    host: settings.LEVEE_HOST,
    advertisedHost: settings.LEVEE_ADVERTISED_HOST ?? settings.LEVEE_HOST,
    respPort: settings.LEVEE_RESP_PORT,
    httpPort: settings.LEVEE_HTTP_PORT,
    topicPrefix: settings.LEVEE_TOPIC_PREFIX,
    defaultNamespace: settings.LEVEE_DEFAULT_NAMESPACE,
    heartbeatMs: settings.LEVEE_HEARTBEAT,
    networkBudgetBytes: settings.LEVEE_NETWORK_BUDGET,
  });
}

/** Config and log settings of a portal that is a process of its own. */
export function loadPortalConfig(env: Environment): {
  readonly config: PortalAppConfig;
  readonly logSettings: LogSettings;
} {
  const settings = loadSettings(env, [...portalSettingNames, ...logSettingNames]);
  return { config: portalConfig(settings), logSettings: settings };
}
