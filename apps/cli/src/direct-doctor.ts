import { ClusterHttp } from '@levee/auth';
import { doctorLimits, type DoctorReport, examineCluster } from '@levee/audit';
import { ClusterView, controlTopics } from '@levee/journal';
import { Failure, messageOf, silentLogger } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import { loadClusterKey, loadTls, tlsSettingNames } from '@levee/service-kit';
import { loadSettings, logSettingNames, openLog } from '@levee/settings';
import { usageFailure } from './exit';
import type { Terminal } from './terminal';

const readMs = 15_000;
const openMs = 5_000;

/** The doctor without a portal: reads the cluster from Kafka itself and asks the nodes. Says so when Kafka is down. */
export async function examineLogDirectly(brokers: string, terminal: Terminal): Promise<DoctorReport> {
  const names = [...logSettingNames, 'LEVEE_TOPIC_PREFIX', 'LEVEE_CLUSTER_KEY_FILE', ...tlsSettingNames] as const;
  const settings = loadSettings({ ...terminal.env, KAFKA_BROKERS: brokers }, names);
  const http = new ClusterHttp({ clusterKey: loadClusterKey(settings), tls: loadTls(settings) });
  if (settings.KAFKA_BROKERS === undefined) throw usageFailure('--brokers names no broker: use host:port');
  const looked = { topics: 0, nodes: 0, replicas: 0 };
  let log;
  try {
    ({ log } = await openLog(settings, { logger: silentLogger, clientId: 'levee-doctor', openMs }));
  } catch (error) {
    const finding = {
      rule: 'log-unreachable',
      subject: brokers,
      finding: `the log does not answer: ${messageOf(error)}`,
      impact: 'reads go on from replicas and grow old; writes, strong reads and every change of the cluster fail',
      command: `kafka-metadata-quorum.sh --bootstrap-server ${brokers} describe --status`,
    };
    return { findings: [finding], unknown: [], looked };
  }
  const topics = controlTopics(settings.LEVEE_TOPIC_PREFIX);
  const world = { clock: systemClock, timers: systemTimers, logger: silentLogger };
  const view = new ClusterView(log, topics, world);
  try {
    if ((await log.describeTopics([topics.journal])).length === 0) {
      const why = `there is no topic ${topics.journal} at ${brokers}`;
      const command = 'levee log topics --brokers host:port   # another LEVEE_TOPIC_PREFIX? or no cluster yet';
      return { findings: [], unknown: [{ what: 'the cluster', why, command }], looked };
    }
    const problem = await started(view);
    const report = await examineCluster(view.state, {
      ...world,
      log,
      topics,
      seq: () => view.seq,
      ask: (address, path) => http.json(address, path, doctorLimits.askMs / 2),
      scheme: http.scheme,
      journalShort: view.short,
    });
    if (problem === undefined) return report;
    const unread = { what: 'namespaces and nodes', why: problem, command: 'levee doctor   # again' };
    return { ...report, unknown: [unread, ...report.unknown] };
  } finally {
    await view.close();
    await log.close();
  }
}

/** Why the cluster could not be read, in words. */
async function started(view: ClusterView): Promise<string | undefined> {
  let cancel: () => void = () => undefined;
  const late = new Promise<never>((_resolve, reject) => {
    cancel = systemTimers.after(readMs, () => reject(new Failure('DEADLINE', `not within ${readMs} ms`)));
  });
  try {
    await Promise.race([view.start(), late]);
    return undefined;
  } catch (error) {
    return `the control topics cannot be read: ${view.problem ?? messageOf(error)}`;
  } finally {
    cancel();
  }
}
