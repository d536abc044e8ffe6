import type { Command } from 'commander';
import { CliFailure, exitCodes } from './exit';
import type { Row } from './output';
import type { ToolsOf } from './command-tools';
import { rowsOf } from './rows';

/** The portal says who is missing this long before we stop to listen. */
const withinMs = { before: 2_000, least: 100, most: 3_600_000 } as const;

/** `levee namespace digests`: proof that the replicas of a namespace agree, or which one does not. */
export function addDigestCommand(namespace: Command, toolsOf: ToolsOf): void {
  namespace
    .command('digests <name>')
    .description('digest every replica at one barrier and compare; exit code 3 when they differ')
    .action(async (name: string, _options: Row, command: Command) => {
      const { output, portal } = toolsOf(command);
      const path = `/v1/namespaces/${encodeURIComponent(name)}/digests`;
      const { before, least, most } = withinMs;
      const query = { withinMs: Math.min(most, Math.max(least, portal.deadlineMs - before)) };
      const report = (await portal.json({ method: 'POST', path, query })) as Row;
      if (output.format === 'text')
        await output.table(rowsOf(report, 'replicas'), [
          'chunkId',
          'partition',
          'barrierOffset',
          'nodeId',
          'keys',
          'digest',
        ]);
      else await output.value(report);
      if (report['equal'] === true && output.format === 'text') await output.raw('all replicas agree\n');
      if (report['equal'] !== true)
        throw new CliFailure(
          'REPLICAS_DIFFER',
          `replicas of ${name} differ at the same barrier; the rows above say which`,
          exitCodes.difference,
        );
    });
}
