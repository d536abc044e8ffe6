import type { Log } from '@levee/log';
import { brokersIn } from './topic-policy';

/** Who decides what a repair writes. */
export const repairPrincipal = 'levee audit repair';

const embedded = /^embedded (.+)[\\/]log$/;

/** The command that says what can be brought back of a journal in this log, as it is typed into a shell. */
export const repairCommand = (log: Pick<Log, 'description'>): string => `levee audit repair ${logOption(log)}`;

/** How a command that reads the log itself is told which one. */
export function logOption(log: Pick<Log, 'description'>): string {
  const brokers = brokersIn(log);
  if (brokers !== '') return `--brokers ${brokers}`;
  return `--data-dir ${quoted(embedded.exec(log.description)?.[1] ?? '<folder>')}`;
}

/** What else to know before it is typed. */
export const repairNote = (log: Pick<Log, 'description'>): string => `${logNote(log)}changes nothing without --yes`;

/** An embedded log is read when no process has it open. */
export const logNote = (log: Pick<Log, 'description'>): string =>
  brokersIn(log) === '' ? 'stop the process first; ' : '';

const quoted = (path: string): string => (/^[\w./<>:-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`);
