import { join } from 'node:path';
import type { NamespaceState } from '@levee/events';
import { binlogSpec, controlTopicSpecs, type SubmittedCommand } from '@levee/journal';
import { asPartition, type Clock, defined } from '@levee/kernel';
import { systemClock } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import { controlNames, recordsOf } from '../../../libs/journal/test/cut-log';
import { nodeRegistration, openLog, openView, run, startMaster, topics } from '../../../libs/master/test/control-plane';

/** What a test does to the log before it lies there. */
interface LaidDown {
  readonly log: EmbeddedLog;
  readonly binlog: string;
  /** Of the namespaces that were asked for besides. */
  readonly others: readonly string[];
}

/**
 * The data folder of a cluster that was stopped: three nodes, the namespace `shop` in one partition with a window of an
 * hour, and what `write` does to its binlog by `clock`.
 */
export async function stoppedCluster(
  dataDir: string,
  {
    clock = systemClock,
    others = [],
    commands = [],
    write,
  }: {
    readonly clock?: Clock;
    /** What `CreateNamespace` says of other namespaces, beside a name. */
    readonly others?: readonly { readonly name: string; readonly [setting: string]: unknown }[];
    /** What people did, after the namespaces were there. */
    readonly commands?: readonly SubmittedCommand[];
    readonly write: (laid: LaidDown) => Promise<void>;
  },
): Promise<void> {
  const log = await openLog();
  const master = await startMaster(log, { instance: 'm1', claimAtOnce: true });
  const view = await openView(log);
  for (const nodeId of ['n1', 'n2', 'n3']) await run(log, view, nodeRegistration(nodeId, 8));
  const settings = { partitions: 1, chunks: 2, replicas: 3, historyWindowMs: 3_600_000 };
  const made: NamespaceState[] = [];
  for (const asked of [{ name: 'shop' }, ...others]) {
    await run(log, view, { kind: 'CreateNamespace', payload: { ...settings, ...asked } });
    while (view.state.namespace(asked.name)?.state !== 'active')
      await new Promise((resolve) => setTimeout(resolve, 10));
    made.push(defined(view.state.namespace(asked.name), `namespace ${asked.name}`));
  }
  for (const command of commands) await run(log, view, command);
  await view.close();
  await master.close();
  const folder = await EmbeddedLog.open({ location: join(dataDir, 'log'), cleanEveryMs: 0, clock });
  await folder.ensureTopics([...controlTopicSpecs(topics), ...made.map(binlogSpec)]);
  const binlogs = made.map((each) => each.binlog);
  for (const topic of [...controlNames, ...binlogs]) {
    const records = await recordsOf(log, topic);
    if (records.length > 0) await folder.append(topic, asPartition(0), records);
  }
  await log.close();
  const [binlog, ...more] = binlogs;
  await write({ log: folder, binlog: binlog as string, others: more });
  await folder.close();
}
