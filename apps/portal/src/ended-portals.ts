import { Failure } from '@levee/kernel';

/** `ended` of a body of work that waits for the word of portals. */
export const endedProperty = {
  type: 'array',
  items: { type: 'string' },
  description: 'portals, or runs of them, that have ended: nobody waits for their word',
};

/** The names in `ended`; none when it is not said. Fails with BAD_REQUEST. */
export function endedPortals({ ended = [] }: Readonly<Record<string, unknown>>): string[] {
  if (!Array.isArray(ended) || ended.some((each) => typeof each !== 'string'))
    throw new Failure('BAD_REQUEST', 'ended is a list of names of portals');
  return ended as string[];
}
