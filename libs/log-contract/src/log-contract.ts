import { type Case, ContractCase } from './contract-case';
import type { LogHarness } from './harness';

const chapters: ReadonlyArray<readonly [title: string, cases: readonly Case[]]> = [];

/**
 * Declares, with jest, the cases every adapter of the log port has to pass, in the same words for all of them.
 * `name` appears in the report: `logContract('log-embedded on memory-level', { open, notApplicable: {} })`.
 */
export function logContract(name: string, harness: LogHarness): void {
  describe(`${name} keeps the contract of the log`, () => {
    for (const [title, cases] of chapters) {
      describe(title, () => {
        for (const [requirement, run] of cases) {
          it(
            requirement,
            async () => {
              const context = new ContractCase(await harness.open(), harness);
              try {
                await run(context);
              } finally {
                await context.end();
              }
            },
            120_000,
          );
        }
      });
    }
  });
}
