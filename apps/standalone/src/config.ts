import { Failure } from '@levee/kernel';
import { securitySettingNames } from '@levee/service-kit';
import { loadSettings, logSettingNames, type Environment, type Settings } from '@levee/settings';
import { dataNodeSettingNames } from '../../data-node/src/config';
import { dispatcherSettingNames } from '../../dispatcher/src/config';
import { masterSettingNames } from '../../master/src/config';
import { portalSettingNames } from '../../portal/src/config';

const ownSettingNames = [
  'LEVEE_NODES',
  'LEVEE_PARTITIONS',
  'LEVEE_CHUNKS',
  'LEVEE_REPLICAS',
  'LEVEE_HISTORY_WINDOW',
] as const;

/** Defaults of the namespace that one process creates for itself; a cluster has more of both. */
export const standaloneDefaults = { partitions: 8, chunks: 8, replicasMax: 3 } as const;

const standaloneSettingNames = [
  ...ownSettingNames,
  ...logSettingNames,
  ...masterSettingNames,
  ...dispatcherSettingNames,
  ...dataNodeSettingNames,
  ...portalSettingNames,
  ...securitySettingNames,
] as const;

export type StandaloneSettings = Settings<(typeof standaloneSettingNames)[number]>;

export function loadStandaloneSettings(env: Environment): StandaloneSettings {
  const settings = loadSettings(env, standaloneSettingNames);
  for (const name of ['LEVEE_NODE_RESP_PORT', 'LEVEE_NODE_HTTP_PORT', 'LEVEE_NODE_ADVERTISED_RESP_PORT'] as const) {
    const last = portOf(settings[name] ?? 0, settings.LEVEE_NODES - 1);
    if (last > portMax)
      throw new Failure(
        'BAD_SETTINGS',
        `${name} is ${settings[name]}, so the last of ${settings.LEVEE_NODES} nodes would have port ${last}: it must be ` +
          `at most ${portMax - settings.LEVEE_NODES + 1}`,
      );
  }
  return settings;
}

const portMax = 65_535;

/** Told in place of the RESP port of a node; `undefined`: that is told. */
export function advertisedPortOf(
  settings: Pick<StandaloneSettings, 'LEVEE_NODE_ADVERTISED_RESP_PORT'>,
  index: number,
): number | undefined {
  const first = settings.LEVEE_NODE_ADVERTISED_RESP_PORT;
  return first === undefined ? undefined : portOf(first, index);
}

/** Port `base + index`, or any free one when the base is 0. */
export function portOf(base: number, index: number): number {
  return base === 0 ? 0 : base + index;
}
