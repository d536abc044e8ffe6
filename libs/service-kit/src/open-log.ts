import { join } from 'node:path';
import type { Logger } from '@levee/kernel';
import type { Log } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import { KafkaLog } from '@levee/log-kafka';
import type { Settings } from './settings';

/** The settings that say where the log is. */
export const logSettingNames = [
  'KAFKA_BROKERS',
  'KAFKA_TLS',
  'KAFKA_SASL_MECHANISM',
  'KAFKA_SASL_USERNAME',
  'KAFKA_SASL_PASSWORD',
  'LEVEE_DATA_DIR',
  'LEVEE_REPLICATION_FACTOR',
] as const;

export type LogSettings = Settings<(typeof logSettingNames)[number]>;

export interface OpenedLog {
  readonly log: Log;
  /** True for the log in a folder, which this process alone has open: there is no other master to wait for. */
  readonly isEmbedded: boolean;
}

/**
 * Kafka when KAFKA_BROKERS is set, else the embedded log in `<LEVEE_DATA_DIR>/log`.
 * Fails with LOG_UNAVAILABLE: no broker answers, or the folder is open in another process, which the message names.
 */
export async function openLog(
  settings: LogSettings,
  options: {
    readonly logger: Logger;
    /** Of Kafka connections. */
    readonly clientId: string;
    /** Addresses of this process, shown to whoever tries to open the same folder. */
    readonly doors?: Readonly<Record<string, string>>;
    /** How long a broker is looked for, ms; default that of `KafkaLog.open`. */
    readonly openMs?: number;
  },
): Promise<OpenedLog> {
  const { logger, clientId, doors, openMs } = options;
  if (settings.KAFKA_BROKERS === undefined) {
    const location = join(settings.LEVEE_DATA_DIR, 'log');
    const log = await EmbeddedLog.open({ location, logger, ...(doors === undefined ? {} : { doors }) });
    return { log, isEmbedded: true };
  }
  const { LEVEE_REPLICATION_FACTOR: replicationFactor } = settings;
  const sasl = saslOf(settings);
  const log = await KafkaLog.open({
    brokers: settings.KAFKA_BROKERS,
    clientId,
    logger,
    ...(openMs === undefined ? {} : { openMs }),
    ...(settings.KAFKA_TLS ? { ssl: true } : {}),
    ...(sasl === undefined ? {} : { sasl }),
    ...(replicationFactor === undefined ? {} : { replicationFactor }),
  });
  return { log, isEmbedded: false };
}

function saslOf(settings: LogSettings) {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = settings;
  if (mechanism === undefined) return undefined;
  const login = { username: username ?? '', password: password ?? '' };
  switch (mechanism) {
    case 'plain':
      return { mechanism, ...login } as const;
    case 'scram-sha-256':
      return { mechanism, ...login } as const;
    case 'scram-sha-512':
      return { mechanism, ...login } as const;
  }
}
