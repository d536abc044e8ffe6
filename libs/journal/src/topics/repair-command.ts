import type { Log } from '@levee/log';
import { brokersIn } from './topic-policy';

/** Who decides what a repair writes. */
export const repairPrincipal = 'levee audit repair';

const embedded = /^embedded (.+)[\\/]log$/;

/** The command that says what can be brought back of a journal in this log, as it is typed into a shell. */
export function repairCommand(log: Pick<Log, 'description'>): string {
  const brokers = brokersIn(log);
  if (brokers !== '') return `levee audit repair --brokers ${brokers}`;
  return `levee audit repair --data-dir ${quoted(embedded.exec(log.description)?.[1] ?? '<folder>')}`;
}

/** What else to know before it is typed. */
export const repairNote = (log: Pick<Log, 'description'>): string =>
  brokersIn(log) === '' ? 'stop the process first; changes nothing without --yes' : 'changes nothing without --yes';

const quoted = (path: string): string => (/^[\w./<>:-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);
