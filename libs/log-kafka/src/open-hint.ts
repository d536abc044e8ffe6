/** What an attempt to connect was made with. */
export interface Attempt {
  readonly tls: boolean;
  readonly sasl: boolean;
}

interface Hint {
  readonly when: RegExp;
  readonly mend: string;
  readonly with?: (attempt: Attempt) => boolean;
  /** The other side has decided: waiting does not help. */
  readonly final: boolean;
}

/** First that fits wins. The words are those of Node's TLS, of kafkajs and of the broker. */
const hints: readonly Hint[] = [
  {
    when: /self-signed certificate|unable to (verify|get (local )?issuer)|certificate signature failure/i,
    mend: "the broker's certificate is signed by nobody we trust: set KAFKA_TLS_CA to the PEM file of its certificate authority",
    final: true,
  },
  {
    when: /certificate has expired/i,
    mend: "renew the broker's certificate, or set this machine's clock",
    final: true,
  },
  {
    when: /altnames|does not match certificate/i,
    mend: 'KAFKA_BROKERS must name the brokers as their certificates do',
    final: true,
  },
  {
    when: /certificate[ _]required|bad[ _]certificate|alert number (42|46|48|116)|handshake[ _]failure/i,
    mend: 'the broker wants a client certificate that it trusts: set KAFKA_TLS_CERT and KAFKA_TLS_KEY',
    final: true,
  },
  {
    when: /authentication failed|invalid credentials|authenticat/i,
    mend: 'check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD (or KAFKA_SASL_PASSWORD_FILE)',
    final: true,
  },
  {
    when: /mechanism/i,
    mend: 'the broker does not offer KAFKA_SASL_MECHANISM: its sasl.enabled.mechanisms names what it does',
    final: true,
  },
  {
    when: /wrong version number|packet length too long|before secure TLS|EPROTO/i,
    with: ({ tls }) => tls,
    mend: 'the port does not speak TLS: use its TLS port in KAFKA_BROKERS, or KAFKA_TLS=false',
    final: true,
  },
  {
    when: /closed connection|timed out|ECONNRESET|EPIPE|disconnected|hang up|given up/i,
    with: ({ tls }) => !tls,
    mend: 'it hangs up on us: if the port speaks TLS, set KAFKA_TLS=true',
    final: false,
  },
  {
    when: /closed connection|timed out|ECONNRESET|EPIPE|disconnected|hang up|given up/i,
    with: ({ tls, sasl }) => tls && !sasl,
    mend: 'it hangs up on us: if it wants a user, set KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD',
    final: false,
  },
];

/** What to do about a failed connection; `undefined` when nothing but waiting and looking at the broker comes to mind. */
export function openHint(
  reason: string,
  attempt: Attempt,
): { readonly mend: string; readonly final: boolean } | undefined {
  return hints.find((hint) => hint.when.test(reason) && (hint.with?.(attempt) ?? true));
}
