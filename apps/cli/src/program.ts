import { doorCode, failureCode, messageOf } from '@levee/kernel';
import { Command, CommanderError, Option } from 'commander';
import { waitMs } from './arguments';
import { addAuditCommands } from './audit-commands';
import { addDoctorCommand } from './doctor-command';
import { addConfigCommand } from './config-command';
import { addExplainCommand } from './explain-command';
import { CliFailure, type ExitCode, exitCodes, exitCodesInWords, usageFailure } from './exit';
import { addKeyValueCommands } from './key-value-commands';
import { addLintCommand } from './lint-command';
import { addLogCommands } from './log-commands';
import { addNamespaceCommands } from './namespace-commands';
import { inOptions } from './option-names';
import type { ToolsOf } from './command-tools';
import { documentOf, type Format, formats, oneLine, Output } from './output';
import { defaultUrl, PortalClient } from './portal-client';
import { addPlacementCommands } from './placement-commands';
import { addPlanCommands, addPlanShortcuts } from './plan-commands';
import { tokenFor } from './sign-in';
import { softwareVersion } from './software-version';
import { defaultDataDir, storeHere } from './store-here';
import { portalTls } from './portal-tls';
import { type Terminal, write } from './terminal';
import { addUserCommands } from './user-commands';

interface GlobalOptions {
  readonly output: Format;
  readonly url?: string;
  readonly token?: string;
  readonly timeout: number;
}

/** Runs one command line; resolves with the exit code and never rejects. */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    await buildProgram(terminal, formatIn(argv)).parseAsync(argv, { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    if (failureCode(error) === 'INTERRUPTED') return exitCodes.failure;
    await write(terminal.stderr, failureText(error, formatIn(argv)));
    return error instanceof CliFailure ? error.exitCode : exitCodes.failure;
  }
}

/** Commander's words without its mark. */
const usageText = (text: string): string => text.replace(/^error: /, '').trim();

/** An empty shell variable is no name; a key or a value has words of its own for that. */
function refuseEmptyNames(command: Command): void {
  command.registeredArguments.forEach((argument, i) => {
    if (command.args[i] === '' && argument.name() !== 'key' && argument.name() !== 'value')
      throw usageFailure(`<${argument.name()}> is empty: ${commandPath(command)} ${command.usage()}`);
  });
}

function commandPath(command: Command): string {
  return command.parent === null ? command.name() : `${commandPath(command.parent)} ${command.name()}`;
}

/** A failure in the format that was asked for. */
function failureText(error: unknown, format: Format): string {
  const code = doorCode(failureCode(error) ?? 'FAILED');
  const message = inOptions(messageOf(error));
  if (format !== 'text') return documentOf({ code, message }, format);
  const lines = message.split('\n').map(oneLine).join('\n');
  return `levee: ${lines}${code === 'FAILED' || code === 'USAGE' ? '' : ` [${code}]`}\n`;
}

/** Looked for by itself: what is wrong with a line is said before its options are known. */
function formatIn(argv: readonly string[]): Format {
  const line = argv.join(' ').split(' -- ')[0] ?? '';
  const asked = /(?:^| )(?:-o ?|--output[ =])(json|yaml)(?: |$)/.exec(line)?.[1];
  return formats.find((format) => format === asked) ?? 'text';
}

export function buildProgram(terminal: Terminal, format: Format = 'text'): Command {
  const program = new Command('levee');
  program
    .description(
      'A key-value store whose only truth is a log. Data goes to standard output, the rest to standard error.',
    )
    .addOption(new Option('-o, --output <format>', 'how results are printed').choices(formats).default('text'))
    .option(
      '--url <url>',
      `HTTP door of a portal (default: LEVEE_URL, else the store that runs in this folder, else ${defaultUrl})`,
    )
    .option('--token <token>', 'who you are, where the portal asks (default: LEVEE_TOKEN, else what levee login kept)')
    .addOption(
      new Option('--timeout <duration>', 'longest wait for an answer').argParser(waitMs).default(30_000, '30s'),
    )
    .addHelpText('after', `\nExit codes: ${exitCodesInWords}.`)
    .showSuggestionAfterError()
    .hook('preAction', (_, command) => refuseEmptyNames(command))
    .exitOverride()
    .version(softwareVersion())
    .configureOutput({
      outputError: (text, print) =>
        print(format === 'text' ? text : documentOf({ code: 'USAGE', message: usageText(text) }, format)),
      writeOut: (text) => void terminal.stdout.write(text),
      writeErr: (text) => void terminal.stderr.write(text),
    });

  const toolsOf: ToolsOf = (command) => {
    const { output, url, timeout, token } = command.optsWithGlobals<GlobalOptions>();
    const named = url ?? (terminal.env['LEVEE_URL'] || undefined);
    const dataDir = terminal.env['LEVEE_DATA_DIR'] || defaultDataDir;
    const here = named === undefined ? storeHere(dataDir) : undefined;
    const door = named ?? here?.url ?? defaultUrl;
    const origin = URL.canParse(door) ? new URL(door).origin : door;
    const portal = new PortalClient(door, {
      token: tokenFor(token, terminal.env, { origin, dataDir: here && dataDir }),
      deadlineMs: timeout,
      tls: portalTls(terminal.env),
      interrupted: terminal.interrupted,
      ...(here === undefined ? {} : { namedBy: here.file }),
    });
    return { terminal: { ...terminal, here }, output: new Output(terminal, output), portal };
  };

  addKeyValueCommands(program, toolsOf);
  addNamespaceCommands(program, toolsOf);
  addPlacementCommands(program, toolsOf);
  addPlanCommands(program, toolsOf);
  addPlanShortcuts(program, toolsOf);
  addExplainCommand(program, toolsOf);
  addDoctorCommand(program, toolsOf);
  addLogCommands(program, toolsOf);
  addLintCommand(program, toolsOf);
  addAuditCommands(program, toolsOf);
  addUserCommands(program, toolsOf);
  addConfigCommand(program, toolsOf);
  return program;
}
