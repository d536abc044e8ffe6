import type { Command } from 'commander';
import { usageFailure } from './exit';
import { defaultDataDir, type StoreHere } from './store-here';
import type { Terminal } from './terminal';

export interface WhereOptions {
  readonly brokers?: string;
  readonly dataDir?: string;
}

/** One log: Kafka, or the folder of an embedded one. */
export interface LogWhere {
  readonly brokers?: string;
  readonly dataDir?: string;
}

export const withLog = (command: Command): Command =>
  command
    .option(
      '--brokers <list>',
      'the Kafka of the cluster (default: KAFKA_BROKERS, else that of the cluster that runs in this folder)',
    )
    .option('--data-dir <folder>', 'the data folder of an embedded log that no process has open');

/** Which log is meant. A store that runs here holds its folder: who asks without naming a log is told so. */
export function logWhere({ brokers, dataDir }: WhereOptions, terminal: Terminal): LogWhere {
  if (brokers !== undefined && dataDir !== undefined)
    throw usageFailure('--brokers and --data-dir name two logs: choose one');
  if (dataDir !== undefined) return { dataDir };
  const named = brokers ?? (terminal.env['KAFKA_BROKERS'] || undefined);
  if (named !== undefined) return { brokers: named };
  const { here } = terminal;
  if (here?.kafka !== undefined) return { brokers: brokersOf(here, here.kafka, terminal) };
  const folder = terminal.env['LEVEE_DATA_DIR'] || defaultDataDir;
  throw usageFailure(
    here === undefined
      ? 'name the log: --brokers host:port, or --data-dir of a stopped process with an embedded log'
      : `name the log: --brokers host:port; the embedded log in ${folder} is read when its process is stopped ` +
          `(${here.file} names it): stop it, then --data-dir ${folder}, or give a copy of the folder`,
  );
}

/** Another prefix is another cluster on the same Kafka. */
function brokersOf({ file }: StoreHere, kafka: NonNullable<StoreHere['kafka']>, { env }: Terminal): string {
  const prefix = env['LEVEE_TOPIC_PREFIX'] || 'levee';
  if (kafka.prefix === prefix) return kafka.brokers;
  throw usageFailure(
    `the cluster that ${file} names keeps its topics under ${kafka.prefix}, here LEVEE_TOPIC_PREFIX is ${prefix}: ` +
      `set it to ${kafka.prefix}, or name another log: --brokers host:port, or --data-dir of a stopped process`,
  );
}
