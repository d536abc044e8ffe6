import type { Tools } from './command-tools';
import { CliFailure, exitCodes } from './exit';
import { oneLine } from './output';
import { jsonBody } from './portal-client';
import { Progress } from './progress';

/** Asks a portal for long work, shows its progress, and prints what became of it. */
export async function tellWork(
  { output, portal, terminal }: Tools,
  { path, asked, quiet }: { readonly path: string; readonly asked: object; readonly quiet: boolean },
): Promise<void> {
  const progress = new Progress(terminal, !quiet);
  try {
    for await (const line of portal.lines({ method: 'POST', path, ...jsonBody(asked) })) {
      if (line['event'] === undefined) throw new CliFailure(String(line['code']), String(line['message']));
      if (line['event'] === 'progress') progress.say(String(line['message']));
      else await output.row(line, oneLine(String(line['message'])));
    }
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message: string };
    throw code === 'NOT_PROVABLE' ? new CliFailure('NOT_PROVABLE', message, exitCodes.difference) : error;
  }
}
