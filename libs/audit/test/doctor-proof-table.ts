import type { ChunkProofState } from '../src/continuous/proof-summary';
import type { DoctorRow } from './doctor-row';
import { nowMs } from './healthy-cluster';

const proof = (of: Partial<ChunkProofState>): { proofs: readonly ChunkProofState[] } => ({
  proofs: [
    {
      ...{ namespace: 'shop', chunkId: 'shop#1/c00001', verdict: 'proved', message: '', late: false },
      ...{ provedAtMs: nowMs, checkedAtMs: nowMs, replicasProved: 3, replicas: 3 },
      ...of,
    },
  ],
});

/** What comparisons of replicas with the log have found. */
export const doctorProofTable: readonly DoctorRow[] = [
  [
    'replica-differs',
    proof({ verdict: 'replicaDiffers', message: 'n2/u00 on n2 holds 3 keys', replicasProved: 2 }),
    /^n2\/u00 on n2 holds 3 keys$/,
    /^levee audit proofs shop .* set-aside/,
  ],
  [
    'log-differs',
    proof({ verdict: 'logDiffers', message: 'the log alone differs', replicasProved: 0 }),
    /^the log alone differs$/,
    /^levee audit verify --brokers k1:9092 {3}# build nothing anew/,
  ],
  ['not-proved', proof({ verdict: 'undecided', message: 'a, b' }), /^a, b$/, /levee namespace digests shop$/],
  ['not-proved', proof({ verdict: 'notProvable', message: 'a hole' }), /^a hole$/, /^levee audit proofs shop/],
  [
    'proof-late',
    proof({ late: true, provedAtMs: 0, replicasProved: 2 }),
    /^shop#1\/c00001 was last compared with its log at 1970-.*: 2 of 3 replicas/,
    /LEVEE_PROOF_BYTES_PER_SECOND/,
  ],
];
