import { appending } from './cases/appending';
import { compaction } from './cases/compaction';
import { ending } from './cases/ending';
import { fencing } from './cases/fencing';
import { foreign } from './cases/foreign';
import { integrity } from './cases/integrity';
import { pressure } from './cases/pressure';
import { reading } from './cases/reading';
import { records } from './cases/records';
import { time } from './cases/time';
import { storedBatches } from './cases/stored';
import { topics } from './cases/topics';
import { type Case, ContractCase } from './contract-case';
import type { LogHarness } from './harness';

const chapters: ReadonlyArray<readonly [title: string, cases: readonly Case[]]> = [
  ['appending', appending],
  ['records', records],
  ['reading', reading],
  ['ending and opening again', ending],
  ['topics', topics],
  ['time', time],
  ['compaction', compaction],
  ['foreign writers', foreign],
  ['stored batches', storedBatches],
  ['integrity', integrity],
  ['fencing', fencing],
  ['pressure', pressure],
];

/**
 * Declares, with jest, the cases every adapter of the log port has to pass, in the same words for all of them.
 * `name` appears in the report: `logContract('log-embedded on memory-level', { open, notApplicable: {} })`.
 */
export function logContract(name: string, harness: LogHarness): void {
  describe(`${name} keeps the contract of the log`, () => {
    for (const [title, cases] of chapters) {
      describe(title, () => {
        it.each(cases.map(([requirement, run]) => [requirement, run] as const))(
          '%s',
          async (_requirement, run) => {
            const context = new ContractCase(await harness.open(), harness);
            try {
              await run(context);
            } finally {
              await context.end();
            }
          },
          caseDeadlineMs,
        );
      });
    }
  });
}

/** Steps have deadlines of their own; a case with crashes has several long ones. */
const caseDeadlineMs = 300_000;
