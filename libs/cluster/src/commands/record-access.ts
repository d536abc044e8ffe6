import type { Decider } from './decider';

/**
 * `{what}`: who gave the command has asked for evidence, such as records of the log. It changes nothing: that it stands in
 * the journal, with who asked and when, is all it is for.
 */
export const recordAccess: Decider = (_state, fields) => {
  fields.text('what', accessLimits.whatLengthMax);
  fields.refuseOthers('BAD_COMMAND', 'field');
  return fields.problem ?? [];
};

export const accessLimits = {
  /** Characters of what somebody asked for: a path with the longest names, and its query. */
  whatLengthMax: 1_000,
} as const;
