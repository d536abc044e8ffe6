import { silentLogger, type LogFields } from '@levee/kernel';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings, logSettingNames, openLog } from '../src';

it.each([
  [true, 1],
  [false, 0],
])('without KAFKA_BROKERS, a process that shares its log (%s) is warned %i times', async (isShared, times) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'levee-open-log-'));
  const warned: string[] = [];
  const logger = { ...silentLogger, warn: (_fields: LogFields, message: string) => void warned.push(message) };
  const settings = loadSettings({ LEVEE_DATA_DIR: dataDir }, logSettingNames);
  const { log, isEmbedded } = await openLog(settings, { logger, clientId: 'n1', isShared });
  await log.close();
  await rm(dataDir, { recursive: true });
  expect(isEmbedded).toBe(true);
  expect(warned).toHaveLength(times);
  for (const message of warned) expect(message).toMatch(/^KAFKA_BROKERS is not set/);
});
