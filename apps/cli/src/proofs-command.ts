import type { Command } from 'commander';
import { isoTime } from '@levee/kernel';
import type { ToolsOf } from './command-tools';
import { CliFailure, exitCodes } from './exit';
import type { Row } from './output';
import { rowsOf } from './rows';

/** Last verdicts that are a difference; the others say that nothing is wrong, or that nobody knows. */
const different = new Set(['replicaDiffers', 'logDiffers', 'undecided']);

/** `levee audit proofs`: when each chunk was last compared with its log, and what came of it. */
export function addProofsCommand(audit: Command, toolsOf: ToolsOf): void {
  audit
    .command('proofs [namespace]')
    .description('when each chunk was last compared with its log, and what came of it; exit code 3 when one differs')
    .action(async (namespace: string | undefined, _options: Row, command: Command) => {
      const { output, portal } = toolsOf(command);
      const reply = (await portal.json({ path: '/v1/proofs', query: { namespace } })) as Row;
      const rows = rowsOf(reply, 'chunks');
      if (output.format !== 'text') await output.value(rows);
      else await output.table(rows.map(shown), ['chunkId', 'verdict', 'provedAt', 'replicas', 'message']);
      const found = rows.filter(({ verdict }) => different.has(String(verdict)));
      if (found.length > 0)
        throw new CliFailure(
          'DIFFERENT',
          `${found.length} of ${rows.length} chunks differ from their log; the rows above say how`,
          exitCodes.difference,
        );
    });
}

const shown = (row: Row): Row => ({
  ...row,
  verdict: row['verdict'] ?? '-',
  provedAt: typeof row['provedAtMs'] === 'number' ? isoTime(row['provedAtMs']) : '-',
  replicas: `${String(row['replicasProved'])} of ${String(row['replicas'])}`,
});
