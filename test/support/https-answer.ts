import { request } from 'node:https';
import type { SecureContextOptions, TLSSocket } from 'node:tls';

export interface HttpsAnswer {
  readonly status: number;
  readonly text: string;
  /** Serial number of the certificate that the door showed. */
  readonly serial: string;
}

/** One request over a connection of its own, by whoever believes and shows what `tls` says. */
export function httpsAnswer(
  url: string,
  {
    method = 'GET',
    headers = {},
    body,
    ...tls
  }: SecureContextOptions & {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  },
): Promise<HttpsAnswer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(20_000);
    const outgoing = request(url, { method, headers: { ...headers }, agent: false, signal, ...tls });
    outgoing.once('error', reject);
    outgoing.once('response', (response) => {
      const serial = (response.socket as TLSSocket).getPeerCertificate().serialNumber;
      let text = '';
      response.on('data', (piece: Buffer) => (text += piece.toString()));
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text, serial }));
    });
    outgoing.end(body);
  });
}
