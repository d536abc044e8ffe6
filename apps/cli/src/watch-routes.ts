import { failureCode, messageOf, pause } from '@levee/kernel';
import { systemTimers } from '@levee/log';
import { CliFailure } from './exit';
import type { Output, Row } from './output';
import { PortalFailure } from './portal-client';
import type { Tools } from './command-tools';
import { replicasByRole } from './replicas-by-role';
import { rowsOf } from './rows';

/** Pauses before the portal is asked again: doubled up to the longest. */
const retryMsMin = 250;
const retryMsMax = 5_000;

/**
 * Prints route changes until interrupted, one line a changed chunk (JSON and YAML: one event a row). A stream that
 * breaks is taken up again after the last version printed; the first one must come about.
 */
export async function watchRoutes(tools: Tools, namespace: string, known: number | undefined): Promise<void> {
  const { output, portal, terminal } = tools;
  const path = `/v1/watch/${encodeURIComponent(namespace)}`;
  let last = known === undefined ? undefined : String(known);
  let connected = false;
  let retryMs = retryMsMin;
  while (!terminal.interrupted.aborted) {
    let why = 'the portal ended the stream';
    try {
      const opened = (): void => {
        connected = true;
        retryMs = retryMsMin;
      };
      for await (const { event, id, data } of portal.events({ path, headers: { 'last-event-id': last } }, opened)) {
        if (event === 'deleted') throw new CliFailure('NAMESPACE_DELETED', `namespace ${namespace} was deleted`);
        if (event !== 'metaChange') {
          why = String(data['message'] ?? event);
          break;
        }
        last = id ?? last;
        await printChange(output, data);
      }
    } catch (error) {
      if (!connected || !isPassing(error)) throw error;
      why = messageOf(error);
    }
    if (terminal.interrupted.aborted) return;
    await output.note(`${why}; asking again in ${retryMs} ms, from version ${last ?? 'none'}`);
    await pause(systemTimers, retryMs, terminal.interrupted);
    retryMs = Math.min(retryMsMax, retryMs * 2);
  }
}

/** Nobody there, or a portal that has just begun or lags: worth another try. */
function isPassing(error: unknown): boolean {
  const passing = ['UNREACHABLE', 'DEADLINE', 'LVSTOPPING', 'LVLIMIT', 'LVNOTREADY', 'LVVERSION'];
  return passing.includes(failureCode(error) ?? '') || (error instanceof PortalFailure && error.status >= 500);
}

async function printChange(output: Output, change: Row): Promise<void> {
  if (output.format !== 'text') return output.row(change, '');
  const version = String(change['version']);
  const whole = change['whole'] === true ? 'all' : 'changed';
  for (const route of rowsOf(change, 'routes')) {
    const { primary, followers, retired, dead } = replicasByRole(route);
    const slots = `${String(route['slotStart'])}..${String(route['slotEnd'])}`;
    const gone = (retired === '-' ? '' : ` retired ${retired}`) + (dead === '-' ? '' : ` dead ${dead}`);
    const text = `${version} ${whole} ${String(route['chunkId'])} ${slots} primary ${primary} followers ${followers}${gone}`;
    await output.row(route, text);
  }
}
