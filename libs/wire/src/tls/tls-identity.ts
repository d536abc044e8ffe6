import type { ConnectionOptions, PeerCertificate, SecureContextOptions, TlsOptions, TLSSocket } from 'node:tls';

/** Who is at the other end, as a certificate has proved it that the certificate authority of this side has signed. */
export interface TlsPeer {
  /** The common name of its subject. */
  readonly name: string;
  /** The certificate says no more than until then, ms since 1970. */
  readonly validUntilMs: number;
}

/** Who a process is on the wire, and whom it believes. Files change while it runs: what is read here is asked anew. */
export interface TlsIdentity {
  /** Of doors: certificate and key, and whether clients have to show one of theirs. */
  readonly serving: SecureContextOptions & Pick<TlsOptions, 'requestCert' | 'rejectUnauthorized'>;
  /** Of calls to other processes of the cluster. */
  readonly calling: Pick<ConnectionOptions, 'secureContext' | 'checkServerIdentity' | 'minVersion'>;
  /** The same without a certificate of its own: what a stranger is told. */
  readonly callingAsStranger: TlsIdentity['calling'];
  /** Doors take the new certificate for connections from then on. The returned function ends it. */
  onChange(listener: () => void): () => void;
}

/** Who has proved itself by a certificate; `undefined` = nobody: there is none, or nobody here believes it. */
export function tlsPeerOf(socket: TLSSocket): TlsPeer | undefined {
  if (!socket.authorized) return undefined;
  // An empty object where there is none.
  const { subject, valid_to: validTo } = socket.getPeerCertificate() as Partial<PeerCertificate>;
  // Which of two names is meant nobody can tell.
  const name: unknown = subject?.CN;
  const validUntilMs = Date.parse(validTo ?? '');
  if (typeof name !== 'string' || name === '' || Number.isNaN(validUntilMs)) return undefined;
  return { name, validUntilMs };
}
