import { contentOf, isWrite, tookEffect, type Operation } from './operation';

/**
 * Tries every order of a tiny history. Shares nothing with the real checker but the meaning of an operation, so that
 * the two can be held against each other.
 */
export function bruteForceLinearizable(operations: readonly Operation[]): boolean {
  const relevant = operations.filter((o) => (isWrite(o) ? o.outcome !== 'definite' : o.outcome === 'ok'));
  const must = (o: Operation): boolean => !isWrite(o) || tookEffect(o);
  const place = (left: readonly Operation[], content: string | null): boolean => {
    if (!left.some(must)) return true;
    return left.some((candidate) => {
      const answeredBefore = (other: Operation): boolean =>
        other !== candidate && must(other) && (other.completedAtNs as number) < candidate.invokedAtNs;
      if (left.some(answeredBefore)) return false;
      if (!isWrite(candidate) && contentOf(candidate) !== content) return false;
      return place(
        left.filter((o) => o !== candidate),
        contentOf(candidate),
      );
    });
  };
  return place(relevant, null);
}
