import { hostname } from 'node:os';
import { livenessLimits, type LivenessLimits } from '@levee/cluster';
import { type ControlPolicy, defaultControlPolicy } from '@levee/journal';
import { Failure } from '@levee/kernel';
import { type CandidacyLimits, defaultCandidacyLimits } from '@levee/master';
import { loadSecurity, securitySettingNames, type Security } from '@levee/service-kit';
import {
  httpNames,
  loadSettings,
  logSettingNames,
  type Environment,
  type LogSettings,
  type Settings,
} from '@levee/settings';

/** What a master needs to know, from the environment or from the process that hosts it. */
export interface MasterConfig {
  readonly host: string;
  readonly port: number;
  readonly advertisedHost: string;
  /** Names that the HTTP door answers to. */
  readonly httpNames: readonly string[];
  /** Unique name of this master in claims and heartbeats. */
  readonly instance: string;
  readonly topicPrefix: string;
  readonly limits: CandidacyLimits;
  readonly policy: ControlPolicy;
  readonly topicCheckMs: number;
  /** When silent nodes are suspect and lost. */
  readonly liveness: LivenessLimits;
  /** A plan without progress for so long has failed. */
  readonly planStallMs: number;
  /** How long after its switch a plan can be rolled back, where its proposal says nothing. */
  readonly planObserveMs: number;
  /** Between two barriers of a partition that is written to. */
  readonly barrierMs: number;
}

export const masterSettingNames = [
  'LEVEE_HOST',
  'LEVEE_ADVERTISED_HOST',
  'LEVEE_HTTP_HOSTS',
  'LEVEE_MASTER_PORT',
  'LEVEE_INSTANCE',
  'LEVEE_TOPIC_PREFIX',
  'LEVEE_HEARTBEAT',
  'LEVEE_MASTER_SILENCE',
  'LEVEE_LOST_AFTER',
  'LEVEE_RECLAIM_INTERVAL',
  'LEVEE_PLAN_STALL',
  'LEVEE_PLAN_OBSERVE',
  'LEVEE_BARRIER_INTERVAL',
  'LEVEE_TOPIC_CHECK',
  'LEVEE_CONTROL_COMPACTION_LAG',
  'LEVEE_CONTROL_SEGMENT',
] as const;

export function masterConfig(settings: Settings<(typeof masterSettingNames)[number]>): MasterConfig {
  return Object.freeze({
    host: settings.LEVEE_HOST,
    port: settings.LEVEE_MASTER_PORT,
    advertisedHost: settings.LEVEE_ADVERTISED_HOST ?? settings.LEVEE_HOST,
    httpNames: httpNames(settings),
    instance: settings.LEVEE_INSTANCE ?? `${hostname()}-${process.pid}`,
    topicPrefix: settings.LEVEE_TOPIC_PREFIX,
    limits: {
      ...defaultCandidacyLimits,
      heartbeatMs: settings.LEVEE_HEARTBEAT,
      silenceMs: settings.LEVEE_MASTER_SILENCE,
      reclaimMs: settings.LEVEE_RECLAIM_INTERVAL,
    },
    liveness: livenessOf(settings.LEVEE_HEARTBEAT, settings.LEVEE_LOST_AFTER),
    topicCheckMs: settings.LEVEE_TOPIC_CHECK,
    planStallMs: planStallOf(settings.LEVEE_HEARTBEAT, settings.LEVEE_PLAN_STALL),
    planObserveMs: settings.LEVEE_PLAN_OBSERVE,
    barrierMs: settings.LEVEE_BARRIER_INTERVAL,
    policy: {
      ...defaultControlPolicy,
      compactionLagMs: settings.LEVEE_CONTROL_COMPACTION_LAG,
      segmentBytes: settings.LEVEE_CONTROL_SEGMENT,
    },
  });
}

function livenessOf(heartbeatMs: number, lostAfterMs: number): LivenessLimits {
  const { suspectAfterMs } = livenessLimits({ heartbeatMs, lostAfterMs: Infinity });
  if (lostAfterMs > suspectAfterMs) return livenessLimits({ heartbeatMs, lostAfterMs });
  throw new Failure(
    'BAD_SETTINGS',
    `LEVEE_LOST_AFTER is ${lostAfterMs} ms, it must be longer than the ${suspectAfterMs} ms after which a node is ` +
      `suspect with LEVEE_HEARTBEAT ${heartbeatMs} ms`,
  );
}

/** Positions travel with every tenth heartbeat: who looks for progress more often than that sees none. */
function planStallOf(heartbeatMs: number, planStallMs: number): number {
  const leastMs = heartbeatMs * 20;
  if (planStallMs >= leastMs) return planStallMs;
  throw new Failure(
    'BAD_SETTINGS',
    `LEVEE_PLAN_STALL is ${planStallMs} ms, it must be at least ${leastMs} ms, 20 times LEVEE_HEARTBEAT (${heartbeatMs} ms): ` +
      'positions travel with every tenth heartbeat',
  );
}

/** Config and log settings of a master that is a process of its own. */
export function loadMasterConfig(env: Environment): {
  readonly config: MasterConfig;
  readonly logSettings: LogSettings;
  readonly security: Security;
} {
  const settings = loadSettings(env, [...masterSettingNames, ...logSettingNames, ...securitySettingNames]);
  return {
    config: masterConfig(settings),
    logSettings: settings,
    security: loadSecurity(settings, { isAlone: false }),
  };
}
