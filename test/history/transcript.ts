import type { Operation, Outcome } from './operation';

/**
 * A history as a drawing: one line per operation, `client | from..until | what`. Times are small numbers; `?` is an
 * answer that never came. `what`: `set v`, `del`, `get v`, `get -` (nothing); a trailing `definite`, `pending` or
 * `indefinite` is the outcome.
 */
export function transcript(text: string, key = 'k'): Operation[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [client, span, what] = line.split('|').map((cell) => cell.trim()) as [string, string, string];
      const [from, until] = span.split('..') as [string, string];
      const [op, ...words] = what.split(/\s+/) as ['set' | 'del' | 'get', ...string[]];
      const value = op === 'del' ? undefined : words.shift();
      const outcome = (words.shift() ?? (until === '?' ? 'indefinite' : 'ok')) as Outcome;
      return {
        client,
        key,
        op,
        ...(value === undefined ? {} : { value: value === '-' ? null : value }),
        invokedAtNs: Number(from) * 1e6,
        completedAtNs: until === '?' ? undefined : Number(until) * 1e6,
        outcome,
      };
    });
}
