import { join } from 'node:path';
import type { Logger } from '@levee/kernel';
import type { Log } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import { KafkaLog } from '@levee/log-kafka';
import { kafkaSecurity, kafkaSecurityNames } from './kafka-security';
import type { Settings } from './settings';

/** The settings that say where the log is. */
export const logSettingNames = [
  'KAFKA_BROKERS',
  ...kafkaSecurityNames,
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
    /** One process of several, which meet in the log: warns of one that they cannot share. */
    readonly isShared?: boolean;
    /** How long a broker is looked for, ms; default that of `KafkaLog.open`. */
    readonly openMs?: number;
  },
): Promise<OpenedLog> {
  const { logger, clientId, doors, openMs } = options;
  if (settings.KAFKA_BROKERS === undefined) {
    const location = join(settings.LEVEE_DATA_DIR, 'log');
    if (options.isShared === true)
      logger.warn(
        { location },
        'KAFKA_BROKERS is not set: this process has a log of its own and meets no other process',
      );
    const log = await EmbeddedLog.open({ location, logger, ...(doors === undefined ? {} : { doors }) });
    return { log, isEmbedded: true };
  }
  const { LEVEE_REPLICATION_FACTOR: replicationFactor } = settings;
  const log = await KafkaLog.open({
    brokers: settings.KAFKA_BROKERS,
    clientId,
    logger,
    ...(openMs === undefined ? {} : { openMs }),
    ...kafkaSecurity(settings),
    ...(replicationFactor === undefined ? {} : { replicationFactor }),
  });
  return { log, isEmbedded: false };
}
