import { counter, gauge, histogram, type ListedMetric } from './listed-metric';

const tls = 'with TLS';
const authentication = 'with authentication';

/** What every process says of itself. */
export const commonMetrics: readonly ListedMetric[] = [
  histogram(
    'levee_request_duration_seconds',
    'How long requests took, from the last byte that came until the answer was complete. door: resp or http; kind: read, write, scan or other; namespace: empty for requests on none',
    ['door', 'kind', 'outcome', 'namespace'],
    'once a request of its labels was answered',
  ),
  gauge('levee_feature_level', 'Highest feature level that this process can read and write', 'process_feature_level'),
  gauge('levee_process_start_time_seconds', 'When the process began, in seconds since 1970', 'process_started_at_ms'),
  gauge('levee_process_resident_memory_bytes', 'Memory that the process holds', 'process_resident_bytes'),
  gauge('levee_process_heap_used_bytes', 'Of the JavaScript heap, what is in use', 'process_heap_used_bytes'),
  gauge(
    'levee_process_external_bytes',
    'Memory outside of the JavaScript heap, such as buffers',
    'process_external_bytes',
  ),
  gauge(
    'levee_event_loop_delay_seconds',
    'By how much timers of the event loop were late, beyond their 10 ms, since the last scrape; quantile 1 is the longest',
    {
      label: 'quantile',
      of: { '0.5': 'event_loop_delay_ms_p50', '0.99': 'event_loop_delay_ms_p99', '1': 'event_loop_delay_ms_max' },
    },
  ),
  gauge('levee_http_connections', 'Connections of the HTTP door that are open', 'http_connections'),
  gauge(
    'levee_http_held_bytes',
    'Bytes that connections of the HTTP door hold of bodies and answers',
    'http_held_bytes',
  ),
  counter('levee_http_closed_total', 'Connections of the HTTP door that were hung up on, by reason', {
    label: 'reason',
    of: { slow: 'http_closed_slow', crowded: 'http_closed_crowded' },
  }),
  counter('levee_http_refused_total', 'Connections and requests that the HTTP door did not take, by reason', {
    label: 'reason',
    of: {
      connections: 'http_refused',
      host: 'http_refused_host',
      origin: 'http_refused_origin',
      content_type: 'http_refused_content_type',
    },
  }),
  counter(
    'levee_http_handshake_failures_total',
    'TLS handshakes of the HTTP door that did not come to their end, by reason',
    {
      label: 'reason',
      of: {
        failed: 'http_handshakes_failed',
        late: 'http_handshakes_late',
        refused: 'http_handshakes_refused',
      },
    },
    tls,
  ),
  counter('levee_tls_reloads_total', 'Times that new files of the certificate were taken', 'tls_reloads', tls),
  counter(
    'levee_tls_reload_failures_total',
    'Times that new files of the certificate were not taken',
    'tls_reloads_failed',
    tls,
  ),
  gauge(
    'levee_tls_broken',
    '1 while the files of the certificate cannot be used, and the old one serves on',
    'tls_broken',
    tls,
  ),
  gauge(
    'levee_tls_certificate_expires_in_seconds',
    'Seconds until the certificate in use ends; below 0 when it has ended',
    'tls_seconds_left',
    tls,
  ),
];

/** Of a RESP door and who comes to it. */
export function respMetrics(part: 'portal' | 'node'): readonly ListedMetric[] {
  const name = (rest: string): string => `levee_${part}_${rest}`;
  const of = (rest: string): string => `${part}_${rest}`;
  return [
    gauge(name('resp_connections'), 'Connections of the RESP door that are open', of('resp_connections')),
    counter(name('resp_connections_total'), 'Connections that the RESP door took', of('resp_connections_taken')),
    counter(name('resp_commands_total'), 'Commands that came to the RESP door', of('resp_commands')),
    counter(
      name('resp_refused_connections_total'),
      'Connections that the RESP door did not take, because there were too many',
      of('resp_refused_connections'),
    ),
    counter(
      name('resp_closed_total'),
      'Connections that the RESP door hung up on: slow to take replies, idle, crowded (held most when all held twice the budget), strangers (did not say who they are), web (sent HTTP)',
      {
        label: 'reason',
        of: {
          slow: of('resp_closed_slow'),
          idle: of('resp_closed_idle'),
          crowded: of('resp_closed_crowded'),
          strangers: of('resp_closed_strangers'),
          web: of('resp_closed_web'),
        },
      },
    ),
    gauge(name('resp_input_bytes'), 'Bytes of commands that came and did not begin yet', of('resp_input_bytes')),
    gauge(name('resp_held_bytes'), 'Bytes that RESP connections hold, both ways', of('resp_queued_bytes')),
    gauge('levee_resp_handshakes', 'TLS handshakes of the RESP door under way', 'resp_tls_handshakes', tls),
    counter(
      'levee_resp_handshake_failures_total',
      'TLS handshakes of the RESP door that did not come to their end, by reason',
      {
        label: 'reason',
        of: {
          failed: 'resp_tls_handshakes_failed',
          late: 'resp_tls_handshakes_late',
          refused: 'resp_tls_handshakes_refused',
        },
      },
      tls,
    ),
    counter(
      name('auth_attempts_total'),
      'Attempts to say who one is: succeeded; failed; slowed (made to wait after failures); refused (too many at once)',
      {
        label: 'result',
        of: {
          succeeded: of('auth_succeeded'),
          failed: of('auth_failed'),
          slowed: of('auth_slowed'),
          refused: of('auth_refused'),
        },
      },
      authentication,
    ),
    gauge(
      name('auth_users_age_seconds'),
      'Seconds for which somebody may have lost rights without that it was heard of here; +Inf before the users were read',
      of('auth_users_age_ms'),
      authentication,
    ),
    gauge(
      name('auth_users_believed_seconds'),
      'Seconds of that age after which no user is believed any more (LEVEE_USERS_BELIEVED)',
      of('auth_users_believed_ms'),
      authentication,
    ),
    counter(name('heartbeats_total'), 'Heartbeats, by whether the log took them', {
      label: 'result',
      of: { sent: of('heartbeats_sent'), failed: of('heartbeats_failed') },
    }),
  ];
}
