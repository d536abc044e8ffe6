import { failureCode, messageOf } from '@levee/kernel';
import { describeSettings, type Environment, loadSettings, type SettingLine, settingNames } from '@levee/settings';

/** Every setting as it is in `env`, and what is wrong with it, if anything. */
export function settingsReport(env: Environment): { lines: readonly SettingLine[]; problem: string | undefined } {
  const lines = describeSettings(env);
  try {
    loadSettings(env, settingNames);
    return { lines, problem: undefined };
  } catch (error) {
    if (failureCode(error) !== 'BAD_SETTINGS') throw error;
    return { lines, problem: messageOf(error) };
  }
}
