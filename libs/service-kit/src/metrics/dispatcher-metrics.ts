import { triggers } from '@levee/cluster';
import { counter, gauge, type ListedMetric } from './listed-metric';

const snake = (word: string): string => word.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const proving = 'unless LEVEE_PROOF=off';
const proof = (rest: string): string => `proof_${rest}`;

export const dispatcherMetrics: readonly ListedMetric[] = [
  counter('levee_dispatcher_rounds_total', 'Times that state and load were looked at', 'dispatcher_rounds'),
  counter('levee_dispatcher_plans_total', 'Plans that were proposed, and what the master made of them', {
    label: 'result',
    of: {
      proposed: 'dispatcher_proposed',
      accepted: 'dispatcher_accepted',
      refused: 'dispatcher_refused',
      unanswered: 'dispatcher_unanswered',
    },
  }),
  gauge('levee_dispatcher_standby', '1 while another dispatcher leads', 'dispatcher_standby'),
  gauge('levee_dispatcher_round_seconds', 'How long the last round took, in seconds', 'dispatcher_round_ms'),
  gauge('levee_dispatcher_reasons', 'Reasons why nothing was proposed in the last round', 'dispatcher_reasons'),
  gauge(
    'levee_dispatcher_findings',
    'What the last round found, by trigger',
    {
      label: 'trigger',
      of: Object.fromEntries(triggers.map((each) => [snake(each), `dispatcher_found_${snake(each)}`])),
    },
    'once a round was made',
  ),
  counter(
    'levee_dispatcher_proof_looks_total',
    'Times that a group of chunks was looked at to be proved',
    proof('looks_total'),
    proving,
  ),
  counter(
    'levee_dispatcher_proof_rounds_total',
    'Rounds of proofs, each of one partition',
    proof('rounds_total'),
    proving,
  ),
  counter('levee_dispatcher_proof_failures_total', 'Rounds of proofs that failed', proof('failed_total'), proving),
  counter('levee_dispatcher_proofs_total', 'Proofs of chunks that were made', proof('chunks_total'), proving),
  counter(
    'levee_dispatcher_proof_bytes_total',
    'Bytes of binlogs that were read for proofs',
    proof('bytes_read_total'),
    proving,
  ),
  counter(
    'levee_dispatcher_proof_blames_total',
    'Replicas that were found to differ: told to be built anew (blamed), of them those that the master refused, and those that had just been built anew and are left to people (held)',
    {
      label: 'result',
      of: { blamed: proof('blamed_total'), refused: proof('refused_total'), held: proof('held_total') },
    },
    proving,
  ),
  gauge(
    'levee_dispatcher_proof_round_seconds',
    'How long the last round of proofs took, in seconds',
    proof('round_ms'),
    proving,
  ),
  gauge('levee_dispatcher_proof_chunks', 'Chunks that are to be proved', proof('chunks'), proving),
  gauge(
    'levee_dispatcher_proof_chunks_proved',
    'Of them, chunks of which all replicas were proved in time',
    proof('chunks_proved'),
    proving,
  ),
  gauge(
    'levee_dispatcher_proof_chunks_late',
    'Chunks that were not proved for one and a half times LEVEE_PROOF_INTERVAL',
    proof('chunks_late'),
    proving,
  ),
  gauge(
    'levee_dispatcher_proof_oldest_age_seconds',
    'Age of the oldest proof, in seconds',
    proof('oldest_age_ms'),
    'once a chunk was proved',
  ),
  gauge(
    'levee_dispatcher_proof_findings',
    'Chunks whose last comparison found a difference, or could prove nothing; at most 50 are counted',
    proof('findings'),
    proving,
  ),
];
