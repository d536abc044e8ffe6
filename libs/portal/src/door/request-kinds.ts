import type { RequestKind } from '@levee/kernel';
import type { DoorCommand } from './door-command';

/** They visit keys that nobody named. */
const scans: ReadonlySet<string> = new Set(['SCAN', 'KEYS', 'RANDOMKEY', 'DBSIZE', 'LV.PAGE']);
/** They are answered when what they wait for has come: how long that takes says nothing of the door. */
const waits: ReadonlySet<string> = new Set(['LV.WAIT', 'LV.CHANGES']);

/** As what the time of a command is counted; `undefined`: not at all. */
export function requestKindOf({ name, kind, flags }: DoorCommand): RequestKind | undefined {
  if (waits.has(name)) return undefined;
  if (scans.has(name)) return 'scan';
  if (flags.includes('write')) return 'write';
  return kind === 'data' && flags.includes('readonly') ? 'read' : 'other';
}
