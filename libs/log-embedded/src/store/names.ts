/** Names of the files in a log's folder: what they are, their number, and which copy. */
const digits = 12;
const numbered = (number: number): string => String(number).padStart(digits, '0');

export type Copy = 'a' | 'b';

export const journalName = (number: number, copy: Copy): string => `journal-${numbered(number)}.${copy}`;
export const checkpointName = (number: number, copy: Copy): string => `checkpoint-${numbered(number)}.${copy}`;
export const runName = (number: number): string => `run-${numbered(number)}`;

export interface StoreFile {
  readonly kind: 'journal' | 'checkpoint' | 'run';
  readonly number: number;
}

/** `undefined` for a file that is none of the store's. */
export function storeFileOf(name: string): StoreFile | undefined {
  const match = /^(journal|checkpoint|run)-(\d{12})(\.[ab])?$/.exec(name);
  if (match === null) return undefined;
  return { kind: match[1] as StoreFile['kind'], number: Number(match[2]) };
}
