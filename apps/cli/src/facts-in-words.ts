import type { Row } from './output';

/** Facts as people read them: `from share 120, to n2`. */
export function factsInWords(facts: Row): string {
  return Object.entries(facts)
    .map(([name, value]) => `${wordsOf(name)} ${factText(value)}`)
    .join(', ');
}

function factText(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'number') return String(Number.isInteger(value) ? value : Number(value.toPrecision(3)));
  if (typeof value === 'string' || typeof value === 'boolean') return String(value);
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value.join(' ');
  return JSON.stringify(value);
}

/** `movedRequestsPerSecond` as `moved requests per second`. */
const wordsOf = (name: string): string => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
