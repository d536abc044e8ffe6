import { doctorLimits } from '@levee/audit';
import { brokersIn } from '@levee/journal';
import { failureCode, type HealthTrouble, messageOf } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { Portal } from './portal';

/**
 * What is wrong beyond this portal, for /health/ready: it goes on serving all else, so no balancer shall take it away.
 * Each names what stands still, what is at stake, and what to type.
 */
export async function troublesOf(portal: Portal, log: Log): Promise<readonly HealthTrouble[]> {
  const found: HealthTrouble[] = portal.stops.map((stop) => ({ what: 'partitionStopped', ...stop }));
  const { writeProblem } = portal;
  if (writeProblem !== undefined) found.push({ what: 'logTakesNothing', message: writeProblem });
  const { unheardMs } = portal.view;
  if (portal.serves && unheardMs > doctorLimits.unheardMs)
    found.push({
      what: 'journalUnheard',
      message:
        `the end of the journal was last seen here ${Math.round(unheardMs)} ms ago: what was decided since is not known ` +
        'to this portal; levee doctor at another one says whether the log or the way to it is the reason',
    });
  return [...found, ...(await damageOf(portal, log))];
}

/** Only the embedded log knows of damage, and answers from its memory. */
async function damageOf(portal: Portal, log: Log): Promise<readonly HealthTrouble[]> {
  if (brokersIn(log) !== '') return [];
  const { journal } = portal.config.topics;
  const binlogs = [...portal.view.state.namespaces()].map(({ binlog }) => binlog);
  try {
    const { damage } = await log.examine([journal, ...binlogs]);
    return damage.map(({ topic, partition, fromOffset, toOffset, what: why }) => ({
      what: 'logDamaged',
      ...(topic === journal ? { topic } : { binlog: topic }),
      partition,
      fromOffset,
      toOffset,
      message:
        `${topic} partition ${partition} has lost what was confirmed at the offsets ${fromOffset} to ${toOffset - 1} ` +
        `(${why}); ` +
        (topic === journal
          ? 'what is in force is known from behind it: levee doctor says how it is repaired'
          : 'replicas past it hold it: keep the folder of every node, and see levee doctor'),
    }));
  } catch (error) {
    return [
      { what: 'logUnknown', message: `the log does not say how it is: ${messageOf(error)}`, code: failureCode(error) },
    ];
  }
}
