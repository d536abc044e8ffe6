import { textOrBase64, viewRecord } from '@levee/codec';
import { asOffset, asPartition, type Offset, silentLogger } from '@levee/kernel';
import type { Log } from '@levee/log';
import { EmbeddedLog, holdsLog } from '@levee/log-embedded';
import { loadSettings, logSettingNames, openLog } from '@levee/settings';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CliFailure, usageFailure } from './exit';
import type { LogLine, LogRange, LogSource, TopicSummary } from './log-source';
import type { Terminal } from './terminal';

/** Opens Kafka, or the folder of an embedded log that no process has open. Only reads; a missing folder stays missing. */
export async function openDirectLog(
  where: { readonly brokers?: string; readonly dataDir?: string },
  terminal: Terminal,
): Promise<LogSource> {
  return new DirectLogSource(await openLogDirectly(where, terminal), terminal.interrupted);
}

/** Kafka, or the folder of an embedded log that no process has open; a missing folder stays missing. */
export function openLogDirectly(
  where: { readonly brokers?: string; readonly dataDir?: string },
  terminal: Terminal,
): Promise<Log> {
  return where.dataDir === undefined ? openKafka(where.brokers, terminal) : openFolder(where.dataDir);
}

async function openFolder(dataDir: string): Promise<Log> {
  const location = join(dataDir, 'log');
  if (!existsSync(location))
    throw new CliFailure('NOT_FOUND', `${dataDir} holds no embedded log: there is no folder ${location}`);
  if (!(await holdsLog(location)))
    throw new CliFailure('NOT_FOUND', `${dataDir} holds no embedded log: nothing in ${location} is of one`);
  return EmbeddedLog.open({ location, cleanEveryMs: 0 });
}

/** TLS and SASL come from the KAFKA_* settings of the environment. */
async function openKafka(brokers: string | undefined, terminal: Terminal): Promise<Log> {
  const settings = loadSettings({ ...terminal.env, KAFKA_BROKERS: brokers }, logSettingNames);
  if (settings.KAFKA_BROKERS === undefined) throw usageFailure('--brokers names no broker: use host:port');
  return (await openLog(settings, { logger: silentLogger, clientId: 'levee-cli' })).log;
}

/** The log port, read and decoded here. */
class DirectLogSource implements LogSource {
  private readonly closing = new AbortController();

  constructor(
    private readonly log: Log,
    private readonly interrupted: AbortSignal,
  ) {}

  async topics(): Promise<readonly TopicSummary[]> {
    const topics = await this.log.describeTopics();
    const named = topics.filter(({ name }) => !name.startsWith('__'));
    const summaries = named.map(async ({ name, partitions }) => ({
      name,
      partitions,
      offsets: await this.log.offsets(name),
    }));
    return (await Promise.all(summaries)).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async *records(topic: string, partition: number, range: LogRange): AsyncIterable<LogLine> {
    const end = range.follow ? undefined : await this.endOf(topic, partition);
    if (end !== undefined && range.from >= end) return;
    const stop = AbortSignal.any([this.interrupted, this.closing.signal]);
    const from = { nextOffset: asOffset(range.from), leaderEpoch: -1 };
    for await (const batch of this.log.tail(topic, asPartition(partition), from, { signal: stop })) {
      for (const record of batch.records) {
        if (end !== undefined && record.offset >= end) return;
        const { offset, timestampMs, headers } = record;
        const shown = headers.map(({ key, value }) => ({ key, value: textOrBase64(value) }));
        yield {
          partition,
          offset,
          timestampMs,
          ...viewRecord(record),
          ...(shown.length > 0 ? { headers: shown } : {}),
        };
      }
      if (end !== undefined && batch.nextOffset >= end) return;
    }
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.log.close();
  }

  private async endOf(topic: string, partition: number): Promise<Offset | undefined> {
    return (await this.log.offsets(topic)).find((each) => each.partition === partition)?.endOffset;
  }
}
