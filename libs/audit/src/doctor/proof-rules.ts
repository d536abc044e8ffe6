import { logNote, logOption } from '@levee/journal';
import { isoTime } from '@levee/kernel';
import type { ChunkProofState } from '../continuous/proof-summary';
import type { DoctorFacts } from './facts';
import type { Finding } from './finding';

type Found = Omit<Finding, 'rule'>;

const rule =
  (
    applies: (chunk: ChunkProofState) => boolean,
    say: (chunk: ChunkProofState, log: DoctorFacts['log']) => Omit<Found, 'subject'>,
  ) =>
  ({ proofs = [], log }: DoctorFacts): Found[] =>
    proofs.filter(applies).map((chunk) => ({ subject: chunk.chunkId, ...say(chunk, log) }));

const proofs = ({ namespace }: ChunkProofState): string => `levee audit proofs ${namespace}`;

/** What comparisons of replicas with the log have found. */
export const proofRules = {
  'replica-differs': rule(
    ({ verdict }) => verdict === 'replicaDiffers',
    (chunk) => ({
      finding: chunk.message,
      impact:
        'until it stopped serving that replica may have answered wrongly; it is built anew, and its files are kept',
      command: `${proofs(chunk)}   # until it says proved; what it held is under set-aside of its node`,
    }),
  ),

  'log-differs': rule(
    ({ verdict }) => verdict === 'logDiffers',
    (chunk, log) => ({
      finding: chunk.message,
      impact: 'replicas serve what they agree on; whatever is built anew from this log would hold something else',
      command: `levee audit verify ${logOption(log)}   # ${logNote(log)}build nothing anew before it is known what the log lost; then: ${proofs(chunk)}`,
    }),
  ),

  'not-proved': rule(
    ({ verdict }) => verdict === 'undecided' || verdict === 'notProvable',
    (chunk) => ({
      finding: chunk.message,
      impact: 'whether its replicas hold what was written cannot be told; nothing is changed by itself',
      command: `${proofs(chunk)}   # then: levee namespace digests ${chunk.namespace}`,
    }),
  ),

  'proof-late': rule(
    ({ late }) => late,
    (chunk) => ({
      finding: `${chunk.chunkId} was last compared with its log at ${isoTime(chunk.provedAtMs ?? 0)}: ${chunk.replicasProved} of ${chunk.replicas} replicas hold what it says`,
      impact: 'a replica that differs from the log would not be noticed',
      command: `${proofs(chunk)}   # is a dispatcher running? is LEVEE_PROOF_BYTES_PER_SECOND enough?`,
    }),
  ),
} as const;
