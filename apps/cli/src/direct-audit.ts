import { join } from 'node:path';
import { diskWitnesses } from '@levee/data-node';
import { controlTopics } from '@levee/journal';
import { silentLogger } from '@levee/kernel';
import { systemClock, systemNewId } from '@levee/log';
import { examineJournal, type Examined, repairJournal } from '@levee/master';
import { loadSettings } from '@levee/settings';
import { openLogDirectly } from './direct-log';
import type { Terminal } from './terminal';

export interface DirectJournal {
  examine(): Promise<Examined>;
  repair(examined: Examined): Promise<void>;
  close(): Promise<void>;
}

/** The journal of the cluster whose topics begin with LEVEE_TOPIC_PREFIX, without a portal. */
export async function openJournalDirectly(
  where: { readonly brokers?: string; readonly dataDir?: string },
  terminal: Terminal,
): Promise<DirectJournal> {
  const settings = loadSettings(terminal.env, ['LEVEE_TOPIC_PREFIX']);
  const topics = controlTopics(settings.LEVEE_TOPIC_PREFIX);
  const log = await openLogDirectly(where, terminal);
  const known = where.dataDir === undefined ? [] : await diskWitnesses(join(where.dataDir, 'nodes'));
  return {
    examine: () => examineJournal(log, topics, { clock: systemClock, known }),
    repair: (examined) =>
      repairJournal(log, topics, {
        examined,
        world: { clock: systemClock, newId: systemNewId, logger: silentLogger },
      }),
    close: () => log.close(),
  };
}
