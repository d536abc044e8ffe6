import { isoTime } from '@levee/kernel';
import { type Command, Option } from 'commander';
import { byteSize, durationMs } from './arguments';
import type { ToolsOf } from './command-tools';
import { type At, cutArgument } from './evidence-commands';
import { CliFailure, exitCodes, usageFailure } from './exit';
import { logWhere, type WhereOptions, withLog } from './log-where';
import { jsonBody, type PortalClient } from './portal-client';
import { softwareVersion } from './software-version';
import type { Terminal } from './terminal';

interface LogOptions extends WhereOptions {
  readonly rate?: number;
  readonly quiet?: true;
}
type ExportOptions = LogOptions & {
  readonly at?: At;
  readonly codec: 'deflate' | 'null';
  readonly clockMargin?: number;
};
type ImportOptions = LogOptions & { readonly create?: true; readonly verify?: true };

/** `levee namespace export` and `import`: a namespace as a file, and back. */
export function addExportCommands(namespace: Command, toolsOf: ToolsOf): void {
  withReading(namespace.command('export <name> <file>'))
    .description('write every key of a namespace to an Avro file; one that was begun is gone on with')
    .option(
      '--at <time>',
      'as it was then; refused with exit code 3 when that is not provable for every key',
      cutArgument,
    )
    .addOption(
      new Option('--codec <name>', 'how blocks of the file are packed').choices(['deflate', 'null']).default('deflate'),
    )
    .addOption(
      new Option('--clock-margin <duration>', 'by how much clocks of brokers may differ (default 5m)').argParser(
        durationMs,
      ),
    )
    .action(async (name: string, file: string, options: ExportOptions, command: Command) => {
      const { output, terminal } = toolsOf(command);
      const { at, codec, clockMargin: clockMarginMs } = options;
      const cut = at?.cut;
      if (cut !== undefined && !('timeMs' in cut))
        throw usageFailure('--at is a time here: each partition has its own positions');
      const log = await openLog(options, terminal);
      const asked = { name, path: file, codec, atMs: cut?.timeMs, clockMarginMs, software: softwareVersion() };
      const { manifest, bytes } = await log
        .exportNamespace(asked)
        .catch(asFinding)
        .finally(() => log.close());
      const { keys, digest, atMs } = manifest;
      await output.value(
        { ...manifest, file, bytes },
        `${name} ${atMs === null ? 'as it is' : `as of ${isoTime(atMs)}`}: ${keys} keys, digest ${digest}, ` +
          `${bytes} bytes in ${file}`,
      );
    });

  withReading(namespace.command('import <file> [name]'))
    .description(
      'write an export into a namespace that holds nothing else; ended at any point, it is given once more and goes on',
    )
    .option('--create', 'create the namespace with the settings of the export (by a portal) where there is none')
    .option('--verify', 'only check the file, block for block, and write nothing')
    .action(async (file: string, name: string | undefined, options: ImportOptions, command: Command) => {
      const { output, terminal, portal } = toolsOf(command);
      if (options.verify === true) {
        const { verifyExport }: typeof import('./audit-lib') = require('./audit-lib');
        const manifest = await verifyExport(file).catch(asFinding);
        const { keys, digest, namespace: of } = manifest;
        return output.value({ ...manifest, file }, `${file} is whole: ${keys} keys of ${of}, digest ${digest}`);
      }
      if (name === undefined) throw usageFailure('name the namespace to import into, or --verify');
      if (options.create === true) await create({ name, file }, options, { terminal, portal });
      const log = await openLog(options, terminal);
      const { manifest, found, written, before, isEqual } = await log
        .importNamespace({ path: file, name })
        .catch(asFinding)
        .finally(() => log.close());
      const row = { namespace: name, file, written, before, ...found, expected: manifest.digest, isEqual };
      await output.value(
        row,
        `${name}: ${written} records written, ${before} keys were there; ${found.keys} keys, digest ${found.digest}, ` +
          `${isEqual ? 'equal to' : `DIFFERENT from ${manifest.keys} keys, digest ${manifest.digest} of`} ${file}`,
      );
      if (isEqual) return;
      const { missing, foreign, examples } = found;
      throw new CliFailure(
        'DIFFERENT',
        `${missing} keys are missing, ${foreign} are of somebody else, who writes there: ${examples.join('; ')}`,
        exitCodes.difference,
      );
    });
}

/** What `create` sets for a namespace like the exported one. */
export async function settingsOfExport(file: string): Promise<Record<string, unknown>> {
  const { creationOf, exportManifest }: typeof import('./audit-lib') = require('./audit-lib');
  return creationOf(await exportManifest(file).catch(asFinding));
}

async function create(
  { name, file }: { readonly name: string; readonly file: string },
  { dataDir }: LogOptions,
  { terminal, portal }: { readonly terminal: Terminal; readonly portal: PortalClient },
): Promise<void> {
  if (dataDir !== undefined)
    throw usageFailure(
      `--create asks a running portal, and the folder ${dataDir} is of a process that is stopped: start it, ` +
        `levee namespace create ${name} --like ${file}, stop it, then import`,
    );
  await portal.json({
    method: 'POST',
    path: '/v1/namespaces',
    ...jsonBody({ name, ...(await settingsOfExport(file)) }),
  });
  terminal.stderr.write(`${name} is there, with the settings of ${file}\n`);
}

async function openLog(options: LogOptions, terminal: Terminal): Promise<import('./direct-evidence').Audit> {
  // Loaded only now: Kafka and LevelDB are not needed for anything else here.
  const { openAuditDirectly }: typeof import('./direct-evidence') = require('./direct-evidence');
  const { rate, quiet } = options;
  return openAuditDirectly(logWhere(options, terminal), terminal, { rate, tellsProgress: quiet !== true });
}

const findings: ReadonlySet<unknown> = new Set(['NOT_PROVABLE', 'EXPORT_DAMAGED', 'NOT_AN_EXPORT']);

function asFinding(error: unknown): never {
  const { code, message } = error as { readonly code?: unknown; readonly message: string };
  throw findings.has(code) ? new CliFailure(String(code), message, exitCodes.difference) : error;
}

const withReading = (command: Command): Command =>
  withLog(command)
    .option('--rate <size>', 'read and write at most so many bytes a second, such as 20MiB', byteSize)
    .option('--quiet', 'no progress on standard error');
