import type { Claim, Decision } from '@levee/events';
import type { LogHeader } from '@levee/log';

/**
 * What a master says beside each of its records in the journal, in words that every version reads: which place of the
 * chain the record takes. Without it nobody could tell a decision of a newer version from a stranger's bytes.
 */
export const linkHeaderKey = 'levee-link';

export type JournalLink =
  | { readonly kind: 'claim'; readonly term: number; readonly clusterId: string }
  | { readonly kind: 'decision'; readonly term: number; readonly seq: number; readonly previousSha256: string };

export const claimLink = ({ term, clusterId }: Claim): LogHeader => header(`claim ${term} ${clusterId}`);

export const decisionLink = ({ term, seq, previousSha256 }: Decision): LogHeader =>
  header(`decision ${term} ${seq} ${previousSha256}`);

/** `undefined`: no link, or one in words that this version does not know. */
export function readLink(value: Uint8Array): JournalLink | undefined {
  if (value.length > linkBytesMax) return undefined;
  const words = /^(?:claim ([0-9]{1,10}) ([^ ]+)|decision ([0-9]{1,10}) ([0-9]{1,15}) ([0-9a-f]{64}))(?: |$)/.exec(
    Buffer.from(value).toString('utf8'),
  );
  if (words === null) return undefined;
  const [, claimed, clusterId, term, seq, previousSha256] = words;
  if (claimed !== undefined) return { kind: 'claim', term: Number(claimed), clusterId: clusterId ?? '' };
  return { kind: 'decision', term: Number(term), seq: Number(seq), previousSha256: previousSha256 ?? '' };
}

const linkBytesMax = 512;

const header = (words: string): LogHeader => ({ key: linkHeaderKey, value: Buffer.from(words) });
