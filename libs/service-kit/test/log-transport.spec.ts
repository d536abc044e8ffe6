import { Controller, Module } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { NestFactory } from '@nestjs/core';
import { asOffset, asPartition, type Logger, silentLogger } from '@levee/kernel';
import { systemTimers, type StoredRecord } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import { MemoryLevel } from 'memory-level';
import { LogContext, LogServer, logServerLimits } from '../src';

const seen: { partition: number; values: string[] }[] = [];
const failures = { left: 0 };

@Controller()
class OrdersController {
  @EventPattern('orders')
  async take(@Payload() records: readonly StoredRecord[], @Ctx() context: LogContext): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (failures.left-- > 0) throw new Error('not now');
    seen.push({ partition: context.partition, values: records.map(({ value }) => value?.toString() ?? '') });
  }
}

@Module({ controllers: [OrdersController] })
class OrdersModule {}

test('a method gets batches in order per partition, again until it succeeds, from where it is told', async () => {
  const log = await EmbeddedLog.open({
    db: new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' }),
  });
  await log.ensureTopics([{ name: 'x.orders', partitions: 2, settings: {} }]);
  const append = (partition: number, value: string): Promise<unknown> =>
    log.append('x.orders', asPartition(partition), [{ key: null, value: Buffer.from(value) }]);
  for (const value of ['old', 'a', 'b']) await append(0, value);
  failures.left = 2;
  const server = new LogServer(log, {
    topicOf: (pattern) => `x.${pattern}`,
    from: (_topic, partition) => Promise.resolve({ nextOffset: asOffset(partition === 0 ? 1 : 0), leaderEpoch: -1 }),
    logger: silentLogger,
    timers: systemTimers,
  });
  const app = await NestFactory.createMicroservice(OrdersModule, { strategy: server, logger: false });
  await app.listen();
  await append(1, 'c');
  await append(0, 'd');
  const valuesOf = (wanted: number): string[] =>
    seen.filter(({ partition }) => partition === wanted).flatMap(({ values }) => values);
  const giveUpAt = performance.now() + 10_000;
  while (seen.flatMap(({ values }) => values).length < 4 && performance.now() < giveUpAt)
    await new Promise((resolve) => setTimeout(resolve, 5));
  expect(valuesOf(0)).toEqual(['a', 'b', 'd']);
  expect(valuesOf(1)).toEqual(['c']);
  await app.close();
  await log.close();
});

test('what fails again and again in the same way is said once in a while, with how often', async () => {
  const log = await EmbeddedLog.open({
    db: new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' }),
  });
  await log.ensureTopics([{ name: 'y.orders', partitions: 1, settings: {} }]);
  await log.append('y.orders', asPartition(0), [{ key: null, value: Buffer.from('late') }]);
  const said: unknown[] = [];
  failures.left = logServerLimits.saidEvery * 2;
  const server = new LogServer(log, {
    topicOf: (pattern) => `y.${pattern}`,
    from: () => Promise.resolve({ nextOffset: asOffset(0), leaderEpoch: -1 }),
    logger: { ...silentLogger, error: (facts: { readonly times?: number }) => void said.push(facts.times) } as Logger,
    timers: { after: (_delayMs, action) => systemTimers.after(0, action) },
  });
  const app = await NestFactory.createMicroservice(OrdersModule, { strategy: server, logger: false });
  await app.listen();
  const giveUpAt = performance.now() + 10_000;
  const isTaken = (): boolean => seen.some(({ values }) => values.includes('late'));
  while (!isTaken() && performance.now() < giveUpAt) await new Promise((resolve) => setTimeout(resolve, 5));
  expect([isTaken(), said]).toEqual([true, [1, logServerLimits.saidEvery + 1]]);
  await app.close();
  await log.close();
});
