import { randomInt } from 'node:crypto';

/** What no writer of records can know. */
export const newSalt = (): number => randomInt(2 ** 32);
