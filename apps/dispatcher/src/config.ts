import { hostname } from 'node:os';
import { healingPolicy, type HealingPolicy } from '@levee/cluster';
import { Failure, messageOf } from '@levee/kernel';
import { loadSecurity, securitySettingNames, type Security } from '@levee/service-kit';
import {
  httpNames,
  loadSettings,
  logSettingNames,
  type Environment,
  type LogSettings,
  type Settings,
} from '@levee/settings';

/** What a dispatcher needs to know, from the environment or from the process that hosts it. */
export interface DispatcherAppConfig {
  readonly host: string;
  readonly port: number;
  readonly advertisedHost: string;
  /** Names that the HTTP door answers to. */
  readonly httpNames: readonly string[];
  /** Unique name of this dispatcher in heartbeats and commands. */
  readonly instance: string;
  readonly topicPrefix: string;
  readonly heartbeatMs: number;
  readonly intervalMs: number;
  readonly policy: HealingPolicy;
  /** `undefined`: nothing is compared with the log. */
  readonly proof: { readonly intervalMs: number; readonly bytesPerSecond: number } | undefined;
}

export const dispatcherSettingNames = [
  'LEVEE_HOST',
  'LEVEE_ADVERTISED_HOST',
  'LEVEE_HTTP_HOSTS',
  'LEVEE_DISPATCHER_PORT',
  'LEVEE_INSTANCE',
  'LEVEE_TOPIC_PREFIX',
  'LEVEE_HEARTBEAT',
  'LEVEE_DISPATCH_INTERVAL',
  'LEVEE_SETTLE_TIME',
  'LEVEE_COOL_DOWN',
  'LEVEE_HOT_CHUNK',
  'LEVEE_HOT_NODE',
  'LEVEE_PROOF',
  'LEVEE_PROOF_INTERVAL',
  'LEVEE_PROOF_BYTES_PER_SECOND',
] as const;

export function dispatcherConfig(settings: Settings<(typeof dispatcherSettingNames)[number]>): DispatcherAppConfig {
  return Object.freeze({
    host: settings.LEVEE_HOST,
    port: settings.LEVEE_DISPATCHER_PORT,
    advertisedHost: settings.LEVEE_ADVERTISED_HOST ?? settings.LEVEE_HOST,
    httpNames: httpNames(settings),
    instance: settings.LEVEE_INSTANCE ?? `${hostname()}-${process.pid}`,
    topicPrefix: settings.LEVEE_TOPIC_PREFIX,
    heartbeatMs: settings.LEVEE_HEARTBEAT,
    intervalMs: settings.LEVEE_DISPATCH_INTERVAL,
    policy: policyOf(settings),
    proof:
      settings.LEVEE_PROOF === 'off'
        ? undefined
        : { intervalMs: settings.LEVEE_PROOF_INTERVAL, bytesPerSecond: settings.LEVEE_PROOF_BYTES_PER_SECOND },
  });
}

function policyOf(
  settings: Settings<'LEVEE_SETTLE_TIME' | 'LEVEE_COOL_DOWN' | 'LEVEE_HOT_CHUNK' | 'LEVEE_HOT_NODE'>,
): HealingPolicy {
  try {
    return healingPolicy({
      settleMs: settings.LEVEE_SETTLE_TIME,
      coolDownMs: settings.LEVEE_COOL_DOWN,
      hotChunkPerSecond: settings.LEVEE_HOT_CHUNK,
      hotNodePerSecondMin: settings.LEVEE_HOT_NODE,
    });
  } catch (error) {
    throw new Failure(
      'BAD_SETTINGS',
      `LEVEE_SETTLE_TIME ${settings.LEVEE_SETTLE_TIME} ms and LEVEE_COOL_DOWN ${settings.LEVEE_COOL_DOWN} ms do not go ` +
        `together: ${messageOf(error)}; make LEVEE_COOL_DOWN the longer one`,
    );
  }
}

/** Config and log settings of a dispatcher that is a process of its own. */
export function loadDispatcherConfig(env: Environment): {
  readonly config: DispatcherAppConfig;
  readonly logSettings: LogSettings;
  readonly security: Security;
} {
  const settings = loadSettings(env, [...dispatcherSettingNames, ...logSettingNames, ...securitySettingNames]);
  return {
    config: dispatcherConfig(settings),
    logSettings: settings,
    security: loadSecurity(settings, { isAlone: false }),
  };
}
