import { createReadStream, createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import type { Rehearsed } from '@levee/audit';
import { failureCode, messageOf } from '@levee/kernel';
import type { Command } from 'commander';
import { byteSize } from './arguments';
import type { ToolsOf } from './command-tools';
import { CliFailure, exitCodes, usageFailure } from './exit';
import { logWhere, type WhereOptions, withLog } from './log-where';
import { oneLine } from './output';
import { softwareVersion } from './software-version';
import { splitLines } from './split-lines';

interface RehearseOptions extends WhereOptions {
  readonly journal?: string;
  readonly keep?: string;
  readonly rate?: number;
  readonly quiet?: true;
}

const lineBytesMax = 16 * 1024 * 1024;

/** `levee audit rehearse`: an upgrade, before it is done. */
export function addRehearseCommand(audit: Command, toolsOf: ToolsOf): void {
  withLog(audit.command('rehearse'))
    .description(
      'fold a journal that another version wrote with this build, and compare what both came to; exit code 3 when something ' +
        'comes out otherwise',
    )
    .option('--journal <dump>', 'the journal, as --keep kept it')
    .option('--keep <dump>', 'keep the journal of this log in a file (zipped when it ends with .gz), then fold that')
    .option('--rate <size>', 'read at most so many bytes a second, such as 20MiB', byteSize)
    .option('--quiet', 'no progress on standard error')
    .action(async (options: RehearseOptions, command: Command) => {
      const { output, terminal } = toolsOf(command);
      const { journal, keep, rate } = options;
      if ((journal === undefined) === (keep === undefined))
        throw usageFailure('give either --journal with a dump, or --keep with a file for one and the log to keep');
      if (journal !== undefined && (options.brokers ?? options.dataDir) !== undefined)
        throw usageFailure('--journal is all that is read: without --brokers and --data-dir');
      if (keep !== undefined) {
        const { openAuditDirectly }: typeof import('./direct-evidence') = require('./direct-evidence');
        const tellsProgress = options.quiet !== true;
        const opened = await openAuditDirectly(logWhere(options, terminal), terminal, { rate, tellsProgress });
        const lines = opened.dumpJournal(softwareVersion());
        await keepLines(keep, lines).finally(() => opened.close());
      }
      const file = journal ?? keep ?? '';
      const { rehearseJournal }: typeof import('./audit-lib') = require('./audit-lib');
      const found = await rehearseJournal(linesOf(file)).catch((error: unknown) => {
        throw failureCode(error) === 'BAD_DUMP' ? new CliFailure('BAD_DUMP', `${file}: ${messageOf(error)}`) : error;
      });
      await output.value({ ...found, build: softwareVersion() }, rehearsedText(found, file));
      const problems = found.findings.length + found.untold + found.differences.length;
      if (problems > 0)
        throw new CliFailure(
          'FINDINGS',
          `${problems} findings: this build is not the one to upgrade to`,
          exitCodes.difference,
        );
    });
}

/** A file that is there already is not written over: it may be the only copy of a journal. */
async function keepLines(file: string, lines: AsyncIterable<string>): Promise<void> {
  const target = createWriteStream(file, { flags: 'wx' });
  await once(target, 'open').catch((error: unknown) => {
    throw usageFailure(`--keep: ${messageOf(error)}`);
  });
  const text = Readable.from(withEnds(lines));
  await (file.endsWith('.gz') ? pipeline(text, createGzip(), target) : pipeline(text, target));
}

async function* withEnds(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield `${line}\n`;
}

async function* linesOf(file: string): AsyncGenerator<string> {
  const bytes = createReadStream(file);
  const plain: Readable = file.endsWith('.gz') ? bytes.pipe(createGunzip()) : bytes;
  // An error of the file is one of its reader.
  bytes.on('error', (error) => plain.destroy(error));
  for await (const line of splitLines(plain, lineBytesMax)) {
    if (line === undefined) throw new CliFailure('BAD_DUMP', `${file} has a line of more than ${lineBytesMax} bytes`);
    yield line;
  }
}

function rehearsedText(
  { topic, software, records, seq, term, digest, decisions, ...of }: Rehearsed,
  file: string,
): string {
  const { claims, voids, findings, untold, differences } = of;
  const isWell = findings.length + untold + differences.length === 0;
  const lines = [
    `${file}: ${records} records of ${topic}, kept by ${software}, folded by ${softwareVersion()}`,
    ...findings.map(
      ({ rule, offset, seq: number, what }) => `${rule} offset ${offset ?? '-'} (decision ${number ?? '-'}): ${what}`,
    ),
    ...(untold > 0 ? [`and ${untold} more`] : []),
    ...differences.map((each) => `different: ${each}`),
    `decision ${seq} of term ${term}, digest ${digest}; ${decisions} decisions, ${claims} claims, ${voids} void`,
    ...(isWell ? ['each decision came to the state that its master had'] : []),
  ];
  return lines.map(oneLine).join('\n');
}
