import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

/** What the processes of the cluster speak: TLS where LEVEE_TLS_CERT is set. */
export const scheme = process.env.LEVEE_TLS_CERT ? 'https' : 'http';

/** Whom this side believes, and who it is, as the processes themselves. */
function identity() {
  const { LEVEE_TLS_CA, LEVEE_TLS_CERT, LEVEE_TLS_KEY } = process.env;
  const files = { ca: LEVEE_TLS_CA || LEVEE_TLS_CERT, cert: LEVEE_TLS_CERT, key: LEVEE_TLS_KEY };
  const pems = Object.entries(files).map(([name, file]) => [name, readFileSync(file, 'utf8')]);
  // They are called by their address, whatever names their certificate has.
  return { ...Object.fromEntries(pems), allowPartialTrustChain: true, checkServerIdentity: () => undefined };
}

/** `{ status, text }` of an HTTP door. Rejects when no answer came within `timeoutMs`. */
export function ask(url, { method = 'GET', headers = {}, body, timeoutMs }) {
  const secure = url.startsWith('https:');
  return new Promise((resolve, reject) => {
    const options = { method, headers, agent: false, signal: AbortSignal.timeout(timeoutMs) };
    const outgoing = (secure ? httpsRequest : httpRequest)(url, { ...options, ...(secure ? identity() : {}) });
    outgoing.once('error', reject);
    outgoing.once('response', (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (piece) => (text += piece));
      answer.once('error', reject);
      answer.once('end', () => resolve({ status: answer.statusCode, text }));
    });
    outgoing.end(body);
  });
}
