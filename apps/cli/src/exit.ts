import { Failure } from '@levee/kernel';

/** Part of the interface: scripts rely on them. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  /** A comparison found a difference, or could not be made. */
  difference: 3,
} as const;

export const exitCodesInWords = '0 done, 1 not done, 2 wrong usage, 3 a difference or a finding';

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends the program with one line on standard error. */
export class CliFailure extends Failure {
  override readonly name = 'CliFailure';

  constructor(
    code: string,
    message: string,
    readonly exitCode: ExitCode = exitCodes.failure,
  ) {
    super(code, message);
  }
}

export const usageFailure = (message: string): CliFailure => new CliFailure('USAGE', message, exitCodes.usage);
