import type { Claim, Decision } from '@levee/events';
import type { LogHeader } from '@levee/log';
import { isBridge } from './journal-bridge';

/**
 * What a master says beside each of its records in the journal, in words that every version reads: which place of the
 * chain the record takes. Without it nobody could tell a decision of a newer version from a stranger's bytes.
 */
export const linkHeaderKey = 'levee-link';

export type JournalLink =
  | { readonly kind: 'claim'; readonly term: number; readonly clusterId: string }
  | {
      readonly kind: 'decision';
      readonly term: number;
      readonly seq: number;
      readonly previousSha256: string;
      readonly bridges: boolean;
    };

export const claimLink = ({ term, clusterId }: Claim): LogHeader => header(`claim ${term} ${clusterId}`);

export const decisionLink = (decision: Decision): LogHeader => {
  const { term, seq, previousSha256 } = decision;
  return header(`decision ${term} ${seq} ${previousSha256}${isBridge(decision) ? ' bridge' : ''}`);
};

/** `undefined`: no link, or one in words that this version does not know. */
export function readLink(value: Uint8Array): JournalLink | undefined {
  if (value.length > linkBytesMax) return undefined;
  const words =
    /^(?:claim ([0-9]{1,10}) ([^ ]+)|decision ([0-9]{1,10}) ([0-9]{1,15}) ([0-9a-f]{64})( bridge)?)(?: |$)/.exec(
      Buffer.from(value).toString('utf8'),
    );
  if (words === null) return undefined;
  const [, claimed, clusterId, term, seq, previousSha256, bridge] = words;
  if (claimed !== undefined) return { kind: 'claim', term: Number(claimed), clusterId: clusterId ?? '' };
  const place = { term: Number(term), seq: Number(seq), previousSha256: previousSha256 ?? '' };
  return { kind: 'decision', ...place, bridges: bridge !== undefined };
}

const linkBytesMax = 512;

const header = (words: string): LogHeader => ({ key: linkHeaderKey, value: Buffer.from(words) });
