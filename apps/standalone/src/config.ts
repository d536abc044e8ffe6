import { loadSettings, logSettingNames, type Environment, type Settings } from '@levee/service-kit';
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
] as const;

export type StandaloneSettings = Settings<(typeof standaloneSettingNames)[number]>;

export function loadStandaloneSettings(env: Environment): StandaloneSettings {
  return loadSettings(env, standaloneSettingNames);
}

/** Port `base + index`, or any free one when the base is 0. */
export function portOf(base: number, index: number): number {
  return base === 0 ? 0 : base + index;
}
