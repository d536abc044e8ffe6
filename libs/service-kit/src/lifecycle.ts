import { Failure, messageOf, type Logger } from '@levee/kernel';
import { TextLines } from './log-text';
import { createLogger } from './logger';
import { loadSettings, SettingsFailure, type Environment } from '@levee/settings';

const exitCodes = { ok: 0, failure: 1, usage: 2 } as const;

/**
 * What has to be undone when the process ends. Steps run one after another, the last registered first, so that what
 * was built on something is gone before it; the whole drain has one deadline.
 */
export class Lifecycle {
  private readonly steps: { readonly name: string; readonly run: () => void | Promise<void> }[] = [];
  private draining: Promise<boolean> | undefined;

  constructor(
    private readonly logger: Logger,
    private readonly drainMs: number,
  ) {}

  get isDraining(): boolean {
    return this.draining !== undefined;
  }

  onDrain(name: string, run: () => void | Promise<void>): void {
    this.steps.push({ name, run });
  }

  /** Resolves to false when a step failed or the deadline passed. A second call joins the first. */
  drain(): Promise<boolean> {
    this.draining ??= this.runSteps();
    return this.draining;
  }

  private async runSteps(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    let current = '';
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => {
        this.logger.error({ step: current, drainMs: this.drainMs }, 'draining took too long');
        resolve(false);
      }, this.drainMs);
    });
    const all = (async () => {
      let clean = true;
      for (const step of [...this.steps].reverse()) {
        current = step.name;
        try {
          await step.run();
        } catch (error) {
          clean = false;
          this.logger.error({ step: step.name, error }, 'a drain step failed');
        }
      }
      return clean;
    })();
    try {
      return await Promise.race([all, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

export interface ProcessOptions {
  readonly name: string;
  readonly env?: Environment;
  /** The setting that tells this process from others of its kind; what is logged has it as its part. */
  readonly named?: 'LEVEE_NODE_ID' | 'LEVEE_INSTANCE';
  /** Greets a person with a text of its own: what is logged for people meanwhile comes after it. */
  readonly greets?: boolean;
  /** Builds everything, registering how to take it down; the process lives on until a signal comes. */
  readonly start: (lifecycle: Lifecycle, logger: Logger, greet: (text: string) => void) => Promise<void>;
}

/**
 * Runs `start` as this process: SIGTERM and SIGINT drain (a second signal ends at once); what keeps it from starting is
 * plain text on standard error and exit code 1, wrong settings are exit code 2. Never returns control to a half-started
 * process.
 */
export function runProcess(options: ProcessOptions): void {
  const env = options.env ?? process.env;
  const people = new TextLines(process.stderr);
  let lifecycle: Lifecycle | undefined;
  let isStarting = true;
  // What keeps a process from starting is in its message, which people read: neither JSON nor a stack may hide it.
  const refuseStart = (failure: Failure, logger: Logger): void => {
    logger.debug({ error: failure }, 'the failure with its stack');
    process.stderr.write(`${options.name} cannot start: ${failure.message} [${failure.code}]\n`);
  };
  const end = async (code: number, logger?: Logger): Promise<void> => {
    const clean = lifecycle === undefined || (await lifecycle.drain());
    if (clean) logger?.info({}, 'stopped');
    process.exit(clean ? code : exitCodes.failure);
  };
  const fail = (error: unknown, logger?: Logger): void => {
    people.release();
    if (error instanceof SettingsFailure) process.stderr.write(`${options.name}: ${error.message}\n`);
    else if (logger === undefined) process.stderr.write(`${options.name}: ${messageOf(error)}\n`);
    else if (isStarting && error instanceof Failure) refuseStart(error, logger);
    else logger.error({ error }, `${options.name} cannot go on: ${messageOf(error)}`);
    void end(error instanceof SettingsFailure ? exitCodes.usage : exitCodes.failure);
  };
  let logger: Logger;
  try {
    const settings = loadSettings(env, [
      'LEVEE_LOG_LEVEL',
      'LEVEE_LOG_FORMAT',
      'LEVEE_DRAIN_TIMEOUT',
      ...(options.named === undefined ? [] : [options.named]),
    ]);
    const { LEVEE_LOG_LEVEL: level, LEVEE_LOG_FORMAT: format } = settings;
    const isText = format === 'text' || (format === 'auto' && process.stderr.isTTY);
    const part = (options.named && settings[options.named]) ?? options.name;
    logger = createLogger({ level, part, ...(isText ? { destination: people } : {}) });
    if (isText && options.greets === true) {
      people.hold();
      process.stderr.write('starting…\n');
    }
    lifecycle = new Lifecycle(logger, settings.LEVEE_DRAIN_TIMEOUT);
  } catch (error) {
    fail(error);
    return;
  }
  const running = lifecycle;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (running.isDraining) process.exit(exitCodes.failure);
    people.release();
    logger.info({ signal }, 'stopping');
    void end(exitCodes.ok, logger);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  process.on('uncaughtException', (error) => fail(error, logger));
  process.on('unhandledRejection', (error) => fail(error, logger));
  const greet = (text: string): void => {
    process.stdout.write(text);
    people.release();
  };
  options.start(running, logger, greet).then(
    () => {
      isStarting = false;
      people.release();
    },
    (error: unknown) => fail(error, logger),
  );
}
