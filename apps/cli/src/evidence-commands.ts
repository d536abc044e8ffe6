import type { Cut } from '@levee/audit';
import { InvalidArgumentError, type Command, Option } from 'commander';
import { durationMs, type KeyEncoding, keyBytes, keyEncodings, positiveNumber, timeWithZone } from './arguments';
import { historyLine, historyRow, stateRow, stateText } from './evidence-report';
import { CliFailure, exitCodes, usageFailure } from './exit';
import { logWhere, type WhereOptions, withLog } from './log-where';
import type { ToolsOf } from './command-tools';

interface EvidenceOptions extends WhereOptions {
  readonly keyEncoding: KeyEncoding;
  readonly clockMargin?: number;
  readonly quiet?: true;
}
type GetOptions = EvidenceOptions & { readonly at: At };
type HistoryOptions = EvidenceOptions & { readonly limit: number };

/** A time, or a position: `2026-03-01T12:00:00Z`, `3:1042`. */
export interface At {
  readonly cut: Cut;
  readonly partition: number | undefined;
}

export function cutArgument(text: string): At {
  const position = /^([0-9]{1,9}):([0-9]{1,15})$/.exec(text);
  if (position !== null) return { partition: Number(position[1]), cut: { nextOffset: Number(position[2]) } };
  const timeMs = timeWithZone(text);
  if (timeMs === undefined)
    throw new InvalidArgumentError(
      'a time with its zone such as 2026-03-01T12:00:00Z, or a position such as 3:1042, is needed.',
    );
  return { partition: undefined, cut: { timeMs } };
}

/** `levee audit get` and `history`: what a key held, with the evidence and the words `proved` or `not provable`. */
export function addEvidenceCommands(audit: Command, toolsOf: ToolsOf): void {
  withEvidence(audit.command('get <namespace> <key>'))
    .description('what a key held at a time or position, and whether the log proves it; exit code 3 when it does not')
    .requiredOption(
      '--at <time|partition:offset>',
      'everything stamped up to that time, or below that offset',
      cutArgument,
    )
    .action(async (namespace: string, text: string, options: GetOptions, command: Command) => {
      const { output, terminal } = toolsOf(command);
      const key = keyOf(text, options);
      const { cut, partition } = options.at;
      const { openAuditDirectly }: typeof import('./direct-evidence') = require('./direct-evidence');
      const evidence = await openAuditDirectly(logWhere(options, terminal), terminal, {
        tellsProgress: options.quiet !== true,
      });
      const found = await evidence
        .stateAt({ namespace, key, cut, partition, clockMarginMs: options.clockMargin })
        .finally(() => evidence.close());
      const row = stateRow({ namespace, key, cut }, found);
      await output.value(row, stateText(row));
      if (found.proof.verdict === 'not provable')
        throw new CliFailure('NOT_PROVABLE', found.proof.message, exitCodes.difference);
    });

  withEvidence(audit.command('history <namespace> <key>'))
    .description('all that the log holds of a key, and where records between may have been removed')
    .option('--limit <count>', 'newest records', positiveNumber, 1000)
    .action(async (namespace: string, text: string, options: HistoryOptions, command: Command) => {
      const { output, terminal } = toolsOf(command);
      const key = keyOf(text, options);
      const { openAuditDirectly }: typeof import('./direct-evidence') = require('./direct-evidence');
      const evidence = await openAuditDirectly(logWhere(options, terminal), terminal, {
        tellsProgress: options.quiet !== true,
      });
      const found = await evidence
        .historyOf({ namespace, key, limit: options.limit, clockMarginMs: options.clockMargin })
        .finally(() => evidence.close());
      const row = historyRow({ namespace, key }, found);
      await output.value(row, row.entries.map(historyLine).join('\n') || 'the log holds no record of that key');
      if (
        found.entries.some(({ untilNext }) => untilNext.verdict !== 'proved') ||
        found.before?.verdict === 'not provable'
      )
        throw new CliFailure(
          'NOT_PROVABLE',
          'records may be gone: the lines that say so, and what was before the first one',
          exitCodes.difference,
        );
    });
}

function keyOf(text: string, { keyEncoding }: EvidenceOptions): Buffer {
  const key = keyBytes(text, keyEncoding);
  if (key === undefined) throw usageFailure(`the key is not ${keyEncoding}`);
  return key;
}

const withEvidence = (command: Command): Command =>
  withLog(command)
    .addOption(new Option('--key-encoding <encoding>', 'how the key is written').choices(keyEncodings).default('utf8'))
    .addOption(
      new Option('--clock-margin <duration>', 'by how much clocks of brokers may differ (default 5m)').argParser(
        durationMs,
      ),
    )
    .option('--quiet', 'no progress on standard error');
