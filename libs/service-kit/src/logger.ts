import type { LoggerService } from '@nestjs/common';
import { pino, type DestinationStream } from 'pino';
import { messageOf, type LogFields, type Logger } from '@levee/kernel';

type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LoggerOptions {
  readonly level: LogLevel;
  /** The part of the process that speaks: `master`, `n1`, `portal`. */
  readonly part: string;
  /** Where the JSON lines go; default standard error, because standard output belongs to answers. */
  readonly destination?: DestinationStream;
}

/**
 * One JSON object per line: `time` (ms since 1970), `level` (word), `part`, the fields, `message`. A field that has one
 * of these names is called `field.<name>`, so that no name comes twice.
 */
export function createLogger(options: LoggerOptions): Logger {
  const sink = pino(
    {
      level: options.level,
      base: null,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: serializeError },
    },
    options.destination ?? pino.destination({ dest: 2, sync: true }),
  );
  const { part } = options;
  return {
    debug: (fields, message) => sink.debug(lineOf(part, fields), message),
    info: (fields, message) => sink.info(lineOf(part, fields), message),
    warn: (fields, message) => sink.warn(lineOf(part, fields), message),
    error: (fields, message) => sink.error(lineOf(part, fields), message),
  };
}

function lineOf(part: string, fields: LogFields): LogFields {
  const line: Record<string, unknown> = { part };
  for (const [name, value] of Object.entries(fields)) line[taken.has(name) ? `field.${name}` : name] = value;
  return line;
}

const taken: ReadonlySet<string> = new Set(['time', 'level', 'message']);

/** The same logger for another part of the process. */
export const ofPart = (logger: Logger, part: string): Logger => withFields(logger, { part });

/** The same logger with `fields` in every line; a field of the line itself wins. */
function withFields(logger: Logger, fields: LogFields): Logger {
  return {
    debug: (own, message) => logger.debug({ ...fields, ...own }, message),
    info: (own, message) => logger.info({ ...fields, ...own }, message),
    warn: (own, message) => logger.warn({ ...fields, ...own }, message),
    error: (own, message) => logger.error({ ...fields, ...own }, message),
  };
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return messageOf(error);
  const code = 'code' in error ? { code: error.code } : {};
  const cause = error.cause === undefined ? {} : { cause: serializeError(error.cause) };
  return { kind: error.name, ...code, message: error.message, stack: error.stack, ...cause };
}

/** Nest's own chatter (routes mapped, modules loaded) at debug, its warnings and errors as they are. */
export function nestLogger(logger: Logger): LoggerService {
  const fields = (rest: readonly unknown[]): LogFields => {
    const context = rest.at(-1);
    return typeof context === 'string' ? { context } : {};
  };
  return {
    log: (message: unknown, ...rest: unknown[]) => logger.debug(fields(rest), messageOf(message)),
    debug: (message: unknown, ...rest: unknown[]) => logger.debug(fields(rest), messageOf(message)),
    verbose: (message: unknown, ...rest: unknown[]) => logger.debug(fields(rest), messageOf(message)),
    warn: (message: unknown, ...rest: unknown[]) => logger.warn(fields(rest), messageOf(message)),
    error: (message: unknown, ...rest: unknown[]) => logger.error(fields(rest), messageOf(message)),
    fatal: (message: unknown, ...rest: unknown[]) => logger.error(fields(rest), messageOf(message)),
  };
}
