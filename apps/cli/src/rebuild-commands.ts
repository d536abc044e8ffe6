import type { FolderDiff, RebuiltFolder } from '@levee/audit';
import { isoTime } from '@levee/kernel';
import { systemClock } from '@levee/log';
import { type Command, Option } from 'commander';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { byteSize, durationMs } from './arguments';
import type { ToolsOf } from './command-tools';
import { type At, cutArgument } from './evidence-commands';
import { CliFailure, exitCodes, usageFailure } from './exit';
import { logWhere, type WhereOptions, withLog } from './log-where';
import { oneLine } from './output';
import type { Terminal } from './terminal';

interface ReadOptions extends WhereOptions {
  readonly rate?: number;
  readonly clockMargin?: number;
  readonly quiet?: true;
}
type RebuildOptions = ReadOptions & { readonly to: string; readonly at?: At };

/** `levee audit rebuild` and `diff`: a namespace from its log alone, and what differs from another one. */
export function addRebuildCommands(audit: Command, toolsOf: ToolsOf): void {
  withReading(audit.command('rebuild <namespace>'))
    .description('rebuild a namespace from its log into a folder; one that was begun is gone on with')
    .requiredOption('--to <folder>', 'where the manifest and the databases go')
    .option(
      '--at <time>',
      'as it was then; refused with exit code 3 when that is not provable for every key',
      cutArgument,
    )
    .action(async (name: string, options: RebuildOptions, command: Command) => {
      const { output, terminal } = toolsOf(command);
      const cut = options.at?.cut;
      if (cut !== undefined && !('timeMs' in cut))
        throw usageFailure('--at is a time here: each partition has its own positions');
      const { manifest, keys, deleted } = await rebuild(name, options, {
        terminal,
        folder: options.to,
        atMs: cut?.timeMs,
      });
      const { chunks: _, ...said } = manifest;
      await output.value(
        { ...said, keys, deleted },
        `${name} ${cut === undefined ? 'as it is' : `as of ${isoTime(cut.timeMs)}`}: ${keys} keys, ${deleted} deleted or expired, ` +
          `up to ${manifest.positions.map((next, partition) => `${partition}:${next}`).join(' ')} in ${options.to}`,
      );
    });

  withReading(audit.command('diff <left> <right>'))
    .description('keys that the right one lacks, has besides, or has otherwise; exit code 3 when there are any')
    .addHelpText(
      'after',
      '\nEach side is a folder that was rebuilt, or the name of a namespace, which is rebuilt from its log now.',
    )
    .action(async (left: string, right: string, options: ReadOptions, command: Command) => {
      const { output, terminal } = toolsOf(command);
      const { diffFolders }: typeof import('./audit-lib') = require('./audit-lib');
      const scratch = await mkdtemp(join(tmpdir(), 'levee-diff-'));
      try {
        const sides: RebuiltFolder[] = [];
        for (const side of [left, right]) sides.push(await sideOf(side, options, { terminal, scratch }));
        const diff = await diffFolders(sides[0] as RebuiltFolder, sides[1] as RebuiltFolder, systemClock.nowMs());
        const differing = diff.chunks.reduce(
          (sum, { missing, extra, different }) => sum + missing + extra + different,
          0,
        );
        await output.value({ ...diff, differing }, diffText(diff));
        if (differing > 0)
          throw new CliFailure(
            'DIFFERENT',
            `${differing} keys differ, ${diff.same} are the same`,
            exitCodes.difference,
          );
      } finally {
        await rm(scratch, { recursive: true, force: true });
      }
    });
}

async function sideOf(
  side: string,
  options: ReadOptions,
  { terminal, scratch }: { readonly terminal: Terminal; readonly scratch: string },
): Promise<RebuiltFolder> {
  const { RebuiltFolder: Folder }: typeof import('./audit-lib') = require('./audit-lib');
  if (existsSync(join(side, 'manifest.json'))) return Folder.open(side);
  const folder = join(scratch, encodeURIComponent(side));
  if (!existsSync(folder)) await rebuild(side, options, { terminal, folder, atMs: undefined });
  return Folder.open(folder);
}

async function rebuild(
  name: string,
  options: ReadOptions,
  {
    terminal,
    folder,
    atMs,
  }: { readonly terminal: Terminal; readonly folder: string; readonly atMs: number | undefined },
): ReturnType<import('./direct-evidence').Audit['rebuild']> {
  const { openAuditDirectly }: typeof import('./direct-evidence') = require('./direct-evidence');
  const { rate, quiet, clockMargin: clockMarginMs } = options;
  const audit = await openAuditDirectly(logWhere(options, terminal), terminal, { rate, tellsProgress: quiet !== true });
  return audit
    .rebuild({ name, folder, atMs, clockMarginMs })
    .catch(asDifference)
    .finally(() => audit.close());
}

function asDifference(error: unknown): never {
  const { code, message } = error as { readonly code?: unknown; readonly message: string };
  throw code === 'NOT_PROVABLE' ? new CliFailure('NOT_PROVABLE', message, exitCodes.difference) : error;
}

function diffText({ same, chunks, examples }: FolderDiff): string {
  return [
    ...chunks.map(
      ({ chunk, missing, extra, different }) => `${chunk}: ${missing} missing, ${extra} extra, ${different} different`,
    ),
    ...examples.map(
      ({ kind, key, left, right }) => `${kind.padEnd(9)} ${key}: ${left ?? 'absent'} | ${right ?? 'absent'}`,
    ),
    `${same} keys are the same`,
  ]
    .map(oneLine)
    .join('\n');
}

const withReading = (command: Command): Command =>
  withLog(command)
    .option('--rate <size>', 'read at most so many bytes a second, such as 20MiB', byteSize)
    .addOption(
      new Option('--clock-margin <duration>', 'by how much clocks of brokers may differ (default 5m)').argParser(
        durationMs,
      ),
    )
    .option('--quiet', 'no progress on standard error');
