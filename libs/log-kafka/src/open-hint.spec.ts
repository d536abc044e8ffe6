import { openHint } from './open-hint';

const tls = { tls: true, sasl: true };
const plain = { tls: false, sasl: false };

/** what was heard | made with | what to do | is waiting useless */
test.each([
  ['Connection error: self-signed certificate in certificate chain', tls, /KAFKA_TLS_CA/, true],
  ['Connection error: unable to verify the first certificate', tls, /KAFKA_TLS_CA/, true],
  ['Connection error: certificate has expired', tls, /renew/, true],
  ["Hostname/IP does not match certificate's altnames: IP: 10.0.0.1", tls, /KAFKA_BROKERS/, true],
  ['write EPROTO: tlsv13 alert certificate required: SSL alert number 116', tls, /KAFKA_TLS_CERT/, true],
  ['SASL SCRAM SHA512 authentication failed: Authentication failed during authentication', tls, /PASSWORD_FILE/, true],
  ['The broker does not support the requested SASL mechanism', tls, /KAFKA_SASL_MECHANISM/, true],
  ['write EPROTO: wrong version number', tls, /KAFKA_TLS=false/, true],
  ['Client network socket disconnected before secure TLS connection was established', tls, /KAFKA_TLS=false/, true],
  ['Closed connection', plain, /KAFKA_TLS=true/, false],
  ['Closed connection', { tls: true, sasl: false }, /KAFKA_SASL_MECHANISM/, false],
])('%s', (reason, attempt, mend, final) => {
  const hint = openHint(reason, attempt);
  expect(hint?.mend).toMatch(mend);
  expect(hint?.final).toBe(final);
});

test('nothing is guessed of a port where nobody listens', () => {
  expect(openHint('Connection error: connect ECONNREFUSED 127.0.0.1:1', plain)).toBeUndefined();
  expect(openHint('Closed connection', tls)).toBeUndefined();
});
