import { defined, isoTime } from '@levee/kernel';
import { Command } from 'commander';
import { positiveNumber, wholeNumber } from './arguments';
import { CliFailure, usageFailure } from './exit';
import { addLogRepairCommands } from './log-repair-commands';
import { type LogLine, type LogSource, PortalLogSource, type TopicSummary } from './log-source';
import { oneLine, type Output, type Row } from './output';
import type { Tools, ToolsOf } from './command-tools';

interface SourceOptions {
  readonly brokers?: string;
  readonly dataDir?: string;
}
interface ReadOptions extends SourceOptions {
  readonly partition?: number;
  readonly key?: string;
  readonly from?: number;
  readonly limit?: number;
  readonly lines?: number;
}

export function addLogCommands(program: Command, toolsOf: ToolsOf): void {
  const log = program.command('log').description('the log itself: topics and their records');
  addLogRepairCommands(log, toolsOf);

  withSource(log.command('topics'))
    .description('all topics')
    .action(async (options: SourceOptions, command: Command) => {
      const { output, source } = await openSource(toolsOf(command), options);
      await using(source, async () => {
        const rows = (await source.topics()).map((topic) => ({ ...topic, records: span(topic) }));
        if (output.format === 'text') await output.table(rows, ['name', 'partitions', 'records']);
        else await output.value(rows.map(({ records: _, ...topic }) => topic));
      });
    });

  withSource(log.command('dump <topic>'))
    .description('print the records of a topic, up to its end as it is now')
    .option('-p, --partition <number>', 'only this partition', wholeNumber)
    .option('-k, --key <key>', 'only records of this key')
    .option('--from <offset>', 'first offset', wholeNumber)
    .option('--limit <count>', 'most records', positiveNumber)
    .action(async (topic: string, options: ReadOptions, command: Command) => {
      const { output, source } = await openSource(toolsOf(command), options);
      await using(source, async () => {
        let left = options.limit ?? Infinity;
        for (const partition of await partitionsOf(source, topic, options.partition)) {
          const from = options.from ?? partition.startOffset;
          for await (const line of source.records(topic, partition.partition, { from, follow: false })) {
            if (!isAskedFor(line, options)) continue;
            if (left-- <= 0) return;
            await printLine(output, line);
          }
        }
      });
    });

  withSource(log.command('tail <topic>'))
    .description('print the last records of a topic, then those that come, until interrupted')
    .option('-p, --partition <number>', 'only this partition', wholeNumber)
    .option('-k, --key <key>', 'only records of this key')
    .option('--from <offset>', 'first offset', wholeNumber)
    .option('-l, --lines <count>', 'offsets of each partition to look back', wholeNumber, 10)
    .option('--limit <count>', 'end after so many records', positiveNumber)
    .action(async (topic: string, options: ReadOptions, command: Command) => {
      const { output, source } = await openSource(toolsOf(command), options);
      await using(source, async () => {
        const partitions = await partitionsOf(source, topic, options.partition);
        if (partitions.length > tailedPartitionsMax)
          throw usageFailure(
            `${topic} has ${partitions.length} partitions, more than the ${tailedPartitionsMax} that can be followed at once: name one with --partition`,
          );
        let left = options.limit ?? Infinity;
        const streams = partitions.map(({ partition, startOffset, endOffset }) =>
          source.records(topic, partition, {
            from: options.from ?? Math.max(startOffset, endOffset - (options.lines ?? 0)),
            follow: true,
          }),
        );
        for await (const line of merge(streams)) {
          if (!isAskedFor(line, options)) continue;
          if (left-- <= 0) return;
          await printLine(output, line);
          if (left === 0) return;
        }
      });
    });
}

function isAskedFor(line: LogLine, { key }: ReadOptions): boolean {
  return key === undefined || line.key === key;
}

/** One connection each, when read through a portal. */
const tailedPartitionsMax = 64;

const withSource = (command: Command): Command =>
  command
    .option('--brokers <list>', 'read Kafka itself, host:port separated by commas, not through a portal')
    .option('--data-dir <folder>', 'read the embedded log in this folder, whose process must be stopped');

async function openSource(tools: Tools, options: SourceOptions): Promise<{ output: Output; source: LogSource }> {
  const { output, portal, terminal } = tools;
  if (options.brokers !== undefined && options.dataDir !== undefined)
    throw usageFailure('--brokers and --data-dir name two logs: choose one');
  if (options.brokers === undefined && options.dataDir === undefined)
    return { output, source: new PortalLogSource(portal) };
  // Loaded only now: Kafka and LevelDB are not needed for anything else here.
  const { openDirectLog }: typeof import('./direct-log') = require('./direct-log');
  return { output, source: await openDirectLog(options, terminal) };
}

async function using(source: LogSource, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    await source.close();
  }
}

interface PartitionSpan {
  readonly partition: number;
  readonly startOffset: number;
  readonly endOffset: number;
}

async function partitionsOf(source: LogSource, topic: string, only?: number): Promise<readonly PartitionSpan[]> {
  const found = (await source.topics()).find((each) => each.name === topic);
  if (!found) throw new CliFailure('TOPIC_MISSING', `there is no topic ${topic}: 'levee log topics' lists them`);
  if (only !== undefined && only >= found.partitions)
    throw usageFailure(`${topic} has the partitions 0 to ${found.partitions - 1}, not ${only}`);
  const all = Array.from({ length: found.partitions }, (_, partition) => spanOf(found, partition));
  return only === undefined ? all : [defined(all[only], `partition ${only}`)];
}

function spanOf(topic: TopicSummary, partition: number): PartitionSpan {
  const offsets = topic.offsets?.find((each) => each.partition === partition);
  return { partition, startOffset: offsets?.startOffset ?? 0, endOffset: offsets?.endOffset ?? 0 };
}

/** Offsets between start and end, compacted ones included. */
const span = ({ offsets }: TopicSummary): number | null =>
  offsets ? offsets.reduce((sum, each) => sum + each.endOffset - each.startOffset, 0) : null;

async function printLine(output: Output, line: LogLine): Promise<void> {
  const at = `${line.partition}:${line.offset}`;
  const time = Number.isFinite(line.timestampMs) ? isoTime(line.timestampMs) : '-';
  const key = line.key === undefined ? `base64:${String(line.keyBase64)}` : line.key === null ? '-' : oneLine(line.key);
  await output.row(line as unknown as Row, `${at}\t${time}\t${key}\t${valueText(line)}`);
}

function valueText(line: LogLine): string {
  if (line.problem) return `${line.problem.code} base64:${String(line.valueBase64)}`;
  if (line.value === null) return 'deleted';
  return `${String(line.record)} ${JSON.stringify(line.value)}`;
}

/** What any of them brings, as it comes; closes all when one fails or the reader leaves. */
async function* merge<T>(streams: readonly AsyncIterable<T>[]): AsyncGenerator<T> {
  const open = new Map(streams.map((stream, i) => [i, stream[Symbol.asyncIterator]()]));
  const pull = async (i: number, of: AsyncIterator<T>): Promise<{ i: number; result: IteratorResult<T> }> => ({
    i,
    result: await of.next(),
  });
  const waiting = new Map([...open].map(([i, stream]) => [i, pull(i, stream)]));
  try {
    while (waiting.size > 0) {
      const { i, result } = await Promise.race(waiting.values());
      const stream = open.get(i);
      if (result.done === true || !stream) {
        waiting.delete(i);
        open.delete(i);
        continue;
      }
      waiting.set(i, pull(i, stream));
      yield result.value;
    }
  } finally {
    for (const pending of waiting.values()) pending.catch(() => undefined);
    // Not awaited: a generator that stands in a read ends only when its source is closed, which comes next.
    for (const stream of open.values()) void stream.return?.().then(undefined, () => undefined);
  }
}
