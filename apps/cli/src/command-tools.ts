import type { Command } from 'commander';
import type { Output } from './output';
import type { PortalClient } from './portal-client';
import type { Terminal } from './terminal';

/** What every command works with. Made when the command runs, from the options that stand anywhere on the line. */
export interface Tools {
  readonly terminal: Terminal;
  readonly output: Output;
  readonly portal: PortalClient;
}

export type ToolsOf = (command: Command) => Tools;
