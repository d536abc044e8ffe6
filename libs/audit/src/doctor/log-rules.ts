import { binlogGrown, brokerSettings, openTransactions, repairCommand, repairNote } from '@levee/journal';
import type { DoctorFacts } from './facts';
import type { Finding } from './finding';
import { isJournal, isPassing, isProjection } from './journal-rules';

type Found = Omit<Finding, 'rule'>;

const readsGrowOld =
  'reads go on from replicas and grow old; writes, strong reads and every change of the cluster fail';

/** The log: brokers, partitions, topics, transactions of others. */
export const logRules = {
  'log-unreachable': ({ logProblem, brokers }: DoctorFacts): Found[] =>
    logProblem === undefined
      ? []
      : [
          {
            subject: brokers || 'log',
            finding: `the log does not answer: ${logProblem}`,
            impact: readsGrowOld,
            command:
              brokers === ''
                ? 'levee status'
                : `kafka-metadata-quorum.sh --bootstrap-server ${brokers} describe --status`,
          },
        ],

  'log-takes-nothing': ({ logProblem, writeProblem, brokers }: DoctorFacts): Found[] =>
    logProblem !== undefined || writeProblem === undefined
      ? []
      : [
          {
            subject: brokers || 'log',
            finding: `the log takes no writes: ${writeProblem}`,
            impact: readsGrowOld,
            command:
              brokers === ''
                ? "free space on the disk of the log's folder, or mend what the message names: it goes on by itself"
                : `kafka-topics.sh --bootstrap-server ${brokers} --describe --under-min-isr-partitions`,
          },
        ],

  'log-damaged': ({ condition, log, journalShort }: DoctorFacts): Found[] =>
    (condition?.damage ?? [])
      // That it stops the masters is a finding of its own, with the same command.
      .filter(({ topic }) => journalShort === undefined || !isJournal(topic))
      .map(({ topic, partition, fromOffset, toOffset, what }) => ({
        subject: `${topic}/${partition}`,
        finding: `${topic} partition ${partition} has lost what was confirmed at the offsets ${fromOffset} to ${toOffset - 1}: ${what}`,
        ...wayOut(topic, log),
      })),

  'broker-down': ({ condition, brokers }: DoctorFacts): Found[] =>
    (condition?.brokers ?? [])
      .filter(({ address }) => address === undefined)
      .map(({ nodeId }) => ({
        subject: `broker ${nodeId}`,
        finding: `broker ${nodeId} has replicas of topics and is not part of the cluster`,
        impact: 'its partitions have one copy less; the next broker that fails may stop writes',
        command: `start broker ${nodeId}, then: kafka-topics.sh --bootstrap-server ${brokers} --describe --under-replicated-partitions`,
      })),

  'partition-offline': ({ condition, brokers }: DoctorFacts): Found[] =>
    (condition?.weakPartitions ?? [])
      .filter(({ hasLeader }) => !hasLeader)
      .map(({ topic, partition, replicas }) => ({
        subject: `${topic}/${partition}`,
        finding: `${topic} partition ${partition} has no leader; ${replicas} brokers hold it`,
        impact: 'nothing can be written to it or read from it, so its replicas grow old',
        command: `start a broker that holds it: kafka-topics.sh --bootstrap-server ${brokers} --describe --topic ${topic}`,
      })),

  'below-min-isr': ({ condition, topics, brokers }: DoctorFacts): Found[] =>
    (condition?.weakPartitions ?? []).flatMap(({ topic, partition, hasLeader, replicas, inSync }) => {
      const least = topics?.minInSync.get(topic) ?? 1;
      if (!hasLeader || inSync >= least) return [];
      return [
        {
          subject: `${topic}/${partition}`,
          finding: `${topic} partition ${partition} has ${inSync} of ${replicas} replicas in sync, it needs ${least} (min.insync.replicas)`,
          impact: 'writes to it fail; reads go on',
          command: `start the missing brokers: kafka-topics.sh --bootstrap-server ${brokers} --describe --under-min-isr-partitions`,
        },
      ];
    }),

  'under-replicated': ({ condition, topics, brokers }: DoctorFacts): Found[] => {
    const weak = (condition?.weakPartitions ?? []).filter(
      ({ topic, hasLeader, inSync }) => hasLeader && inSync >= (topics?.minInSync.get(topic) ?? 1),
    );
    const [first] = weak;
    if (first === undefined) return [];
    return [
      {
        subject: `${weak.length} partitions`,
        finding: `${weak.length} partitions have fewer replicas in sync than they have, such as ${first.topic}/${first.partition} with ${first.inSync} of ${first.replicas}`,
        impact: 'writes go on; one more broker lost may stop them',
        command: `kafka-topics.sh --bootstrap-server ${brokers} --describe --under-replicated-partitions`,
      },
    ];
  },

  'topic-missing': ({ topics, namespaces }: DoctorFacts): Found[] =>
    (topics?.missing ?? []).map((topic) => {
      const owner = namespaces.find(({ state }) => state.binlog === topic)?.state.name;
      return owner === undefined
        ? {
            subject: topic,
            finding: `the control topic ${topic} does not exist`,
            impact: 'nothing in the cluster can change, and processes that start anew do not serve',
            command:
              'restore it from a backup; a new cluster gets it from its first master: npm start, or start apps/master',
          }
        : {
            subject: topic,
            finding: `the binlog ${topic} of namespace ${owner} does not exist: somebody deleted it`,
            impact: `writes to ${owner} fail and its replicas grow old; they keep what they have`,
            command: `restore ${topic} from a backup with all its records, or give the namespace up: levee namespace delete ${owner}`,
          };
    }),

  'topic-misconfigured': ({ topics }: DoctorFacts): Found[] =>
    (topics?.misconfigured ?? []).map((sentence) =>
      mended(sentence, 'records may be kept too short, refused, or misread'),
    ),

  'binlog-lost': ({ topics }: DoctorFacts): Found[] =>
    (topics?.losses ?? []).map(({ namespace, binlog, what }) => ({
      subject: binlog,
      finding: what,
      impact: `a replica of ${namespace} cannot be built from it: those that have the data keep it and clear nothing, others are copied from them`,
      command: `restore ${binlog} from a backup with all its records, or give the namespace up: levee namespace delete ${namespace}`,
    })),

  'binlog-grown': ({ topics }: DoctorFacts): Found[] =>
    (topics?.grown ?? []).map((of) => ({
      subject: of.binlog,
      finding: binlogGrown(of),
      impact:
        `what producers write to the added partitions is acknowledged to them and served by nobody; copies go to the ` +
        `quarantine. Producers that count the topic's partitions send keys of ${of.namespace} to wrong ones too`,
      command:
        `levee namespace describe ${of.namespace}   # how producers must be set (${of.partitions} partitions); then send ` +
        'again what levee log tail levee.quarantine shows. Delete neither the topic nor the namespace: the data is whole',
    })),

  'durability-setting': ({ topics }: DoctorFacts): Found[] =>
    (topics?.advice ?? []).map((sentence) => mended(sentence, 'acknowledged records can be lost when brokers fail')),

  'broker-setting': ({ condition, brokers }: DoctorFacts): Found[] => brokerSettings(condition, brokers),

  'open-transaction': ({ condition, brokers, nowMs }: DoctorFacts): Found[] =>
    openTransactions(condition, { brokers, nowMs }),

  quarantined: ({ quarantined, namespaces }: DoctorFacts): Found[] =>
    (quarantined ?? [])
      .filter(({ topic }) => !isJournal(topic))
      .map(({ topic, reason, count, newest }) => {
        const of = namespaces.find(({ state }) => state.binlog === topic)?.state;
        const owner = of?.name ?? topic;
        const wrong = reason === 'wrongPartition';
        const notApplied = notAppliedReasons.has(reason);
        return {
          subject: topic,
          finding: wrong
            ? `${count} records of ${owner} came in partitions that are not their keys', the newest at ${newest}`
            : `${count} records of ${owner} are in quarantine as ${reason}, the newest at ${newest}`,
          impact: notApplied
            ? 'they are not applied: their keys look as if nothing was written'
            : 'they cannot be read as they are',
          command: notApplied
            ? `levee namespace describe ${owner}   # what a producer may write, and its settings` +
              (wrong && of?.sourceTopic === null
                ? `; once it is set right: levee namespace repartition ${owner}`
                : '') +
              `; ${ackNote(owner)}`
            : `levee log tail levee.quarantine   # copies, with reasons; ${ackNote(owner)}`,
        };
      }),
};

const ackNote = (owner: string): string => `once they are dealt with: levee lint ack ${owner} --help`;

/** Of copies in quarantine whose records took nobody's place. */
const notAppliedReasons: ReadonlySet<string> = new Set(['wrongPartition', 'tooLarge', 'noKey', 'unreadableBatch']);

function wayOut(topic: string, log: DoctorFacts['log']): Pick<Found, 'impact' | 'command'> {
  const command = `${repairCommand(log)}   # ${repairNote(log)}`;
  if (isJournal(topic))
    return {
      impact:
        'masters reign by the checkpoint behind it; a process that has to read the journal from its start stands still ' +
        'there, and if the compacted topics are damaged too, no master can reign',
      command,
    };
  if (isProjection(topic)) return { impact: 'processes that start read the journal instead', command };
  if (isPassing(topic))
    return {
      impact: topic.endsWith('.commands')
        ? 'commands that stand there or behind it and were not decided wait until it is passed over'
        : 'what was said there is said again, and nothing waits for it',
      command,
    };
  return {
    impact:
      'replicas that have read past it hold it and serve on; one that needs it is copied from one of those, and waits ' +
      'there while none can be copied',
    command: "put back a copy of the log's folder that has the stretch; until then keep the folder of every node",
  };
}

/** `what is wrong: command` as the checks of topics say it. */
function mended(sentence: string, impact: string): Found {
  const at = sentence.search(/(kafka-[a-z-]+\.sh)/);
  const finding = at < 0 ? sentence : sentence.slice(0, at).replace(/[:\s]+$/, '');
  const subject = /^(?:topic )?([\w.-]+):/.exec(sentence)?.[1] ?? 'topic';
  return { subject, finding, impact, command: at < 0 ? 'levee log topics' : sentence.slice(at) };
}
