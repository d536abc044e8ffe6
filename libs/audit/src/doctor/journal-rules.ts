import { repairCommand, repairNote } from '@levee/journal';
import type { DoctorFacts } from './facts';
import type { Finding } from './finding';

/** The journal: who wrote into it, and whether it holds what it once said. */
export const journalRules = {
  'journal-short': ({ journalShort, log }: DoctorFacts): Omit<Finding, 'rule'>[] =>
    journalShort === undefined
      ? []
      : [
          {
            subject: 'journal',
            finding: journalShort,
            impact: 'no master reigns, so nothing can be created or changed; reads and writes go on',
            command: `${repairCommand(log)}   # ${repairNote(log)}`,
          },
        ],

  'foreign-in-journal': ({ quarantined, brokers }: DoctorFacts): Omit<Finding, 'rule'>[] =>
    (quarantined ?? [])
      .filter(({ topic }) => isJournal(topic))
      .map(({ topic, count, newest }) => ({
        subject: topic,
        finding: `${count} records in ${topic} were written by no master of this cluster, the newest at ${newest}`,
        impact: 'they are passed over and change nothing; who can write there can take the cluster over',
        command:
          brokers === ''
            ? 'levee log tail levee.quarantine   # copies, with reasons'
            : `kafka-acls.sh --bootstrap-server ${brokers} --list --topic ${topic}   # leave Write to the masters alone`,
      })),
};

export const isJournal = (topic: string): boolean => topic.endsWith('.journal') && !topic.includes('.binlog.');

/** One of the compacted topics that say what the journal says. */
export const isProjection = (topic: string): boolean =>
  /\.(metadata|routes|plans)$/.test(topic) && !topic.includes('.binlog.');

/** One of which nothing is kept for long. */
export const isPassing = (topic: string): boolean =>
  /\.(commands|heartbeats|quarantine|digests)$/.test(topic) && !topic.includes('.binlog.');
