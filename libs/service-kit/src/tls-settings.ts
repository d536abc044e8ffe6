import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureVersion } from 'node:tls';
import { messageOf } from '@levee/kernel';
import { SettingsFailure } from '@levee/settings';
import type { Settings } from '@levee/settings';

/** The settings that say who this process is over TLS, and whom it believes. */
export const tlsSettingNames = [
  'LEVEE_TLS_CERT',
  'LEVEE_TLS_KEY',
  'LEVEE_TLS_CA',
  'LEVEE_TLS_MIN_VERSION',
  'LEVEE_TLS_CLIENT_AUTH',
  'LEVEE_TLS_CLUSTER_NAME',
] as const;

export type TlsSettings = Settings<(typeof tlsSettingNames)[number]>;
type TlsClientAuth = 'none' | 'requested' | 'required';

/** What the settings say, before any file is read. */
export interface TlsPlan {
  readonly files: { readonly cert: string; readonly key: string; readonly ca: string | undefined };
  readonly minVersion: SecureVersion;
  readonly clientAuth: TlsClientAuth;
  readonly clusterName: string | undefined;
}

/** What the files held when they were read, as PEM. */
export interface TlsPems {
  readonly cert: string;
  readonly key: string;
  readonly ca: string | undefined;
}

/** `undefined`: no TLS. Throws SettingsFailure naming what does not go together. */
export function tlsPlan(settings: TlsSettings): TlsPlan | undefined {
  const { LEVEE_TLS_CERT: cert, LEVEE_TLS_KEY: key, LEVEE_TLS_CA: ca } = settings;
  const { LEVEE_TLS_CLIENT_AUTH: asked, LEVEE_TLS_CLUSTER_NAME: clusterName } = settings;
  if (cert === undefined || key === undefined) {
    const alone = (
      ['LEVEE_TLS_CERT', 'LEVEE_TLS_KEY', 'LEVEE_TLS_CA', 'LEVEE_TLS_CLIENT_AUTH', 'LEVEE_TLS_CLUSTER_NAME'] as const
    ).find((name) => settings[name] !== undefined);
    if (alone === undefined) return undefined;
    const missing = cert === undefined ? 'LEVEE_TLS_CERT' : 'LEVEE_TLS_KEY';
    throw wrong(
      `${alone} is set and ${missing} is not: doors speak TLS with a certificate and its key; set both, or unset ${alone}`,
    );
  }
  const clientAuth = asked ?? (ca === undefined ? 'none' : 'requested');
  if (clientAuth !== 'none' && ca === undefined)
    throw wrong(
      `LEVEE_TLS_CLIENT_AUTH is ${clientAuth} and LEVEE_TLS_CA is not set: set it to the authority that signs the certificates of clients`,
    );
  if (clusterName !== undefined && (ca === undefined || clientAuth === 'none'))
    throw wrong(
      `LEVEE_TLS_CLUSTER_NAME is ${clusterName}, and ${ca === undefined ? 'LEVEE_TLS_CA is not set' : 'LEVEE_TLS_CLIENT_AUTH is none'}: processes that know each other by certificates have to ask for them`,
    );
  return { files: { cert, key, ca }, minVersion: settings.LEVEE_TLS_MIN_VERSION, clientAuth, clusterName };
}

/**
 * Reads the files, and checks that a handshake with them can go well: a certificate, its own key, valid now. Throws
 * SettingsFailure naming the setting, the file and the mend; never what a key holds.
 */
export function readPems({ files, clusterName }: Pick<TlsPlan, 'files' | 'clusterName'>, nowMs: number): TlsPems {
  const cert = pemIn('LEVEE_TLS_CERT', files.cert, 'CERTIFICATE');
  const key = pemIn('LEVEE_TLS_KEY', files.key, 'PRIVATE KEY');
  const ca = files.ca === undefined ? undefined : pemIn('LEVEE_TLS_CA', files.ca, 'CERTIFICATE');
  if (/ENCRYPTED/.test(key))
    throw wrong(
      `LEVEE_TLS_KEY is ${files.key}, which is encrypted: write it decrypted into a file of mode 0600 (openssl pkey -in … -out …)`,
    );
  const own = certificateIn('LEVEE_TLS_CERT', files.cert, cert);
  if (ca !== undefined) certificateIn('LEVEE_TLS_CA', files.ca as string, ca);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const isOther = (error as NodeJS.ErrnoException).code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH';
    throw wrong(
      isOther
        ? `LEVEE_TLS_KEY is ${files.key}, which is not the key of the certificate in ${files.cert} (LEVEE_TLS_CERT): give both of one pair`
        : `LEVEE_TLS_CERT ${files.cert} and LEVEE_TLS_KEY ${files.key} cannot be used: ${messageOf(error)}`,
    );
  }
  checkTime(own, files.cert, nowMs);
  if (clusterName !== undefined) checkMember(own, files.cert, clusterName);
  return { cert, key, ca };
}

/** The first one of a file: of a chain, the certificate of this process. */
export function ownCertificate(cert: string): X509Certificate {
  return new X509Certificate(cert);
}

function checkTime(own: X509Certificate, file: string, nowMs: number): void {
  if (Date.parse(own.validTo) <= nowMs)
    throw wrong(
      `LEVEE_TLS_CERT is ${file}, which is not valid since ${own.validTo}: nobody would believe it; renew it`,
    );
  if (Date.parse(own.validFrom) > nowMs)
    throw wrong(
      `LEVEE_TLS_CERT is ${file}, which is not valid before ${own.validFrom}: look at the clock of this machine, or wait`,
    );
}

const clientUsage = '1.3.6.1.5.5.7.3.2';

/** Others let in whom this certificate names, and ask for one that clients may show. */
function checkMember(own: X509Certificate, file: string, clusterName: string): void {
  const names = own.subject.split('\n').filter((line) => line.startsWith('CN='));
  if (names.length !== 1 || names[0] !== `CN=${clusterName}`)
    throw wrong(
      `LEVEE_TLS_CLUSTER_NAME is ${clusterName}, and the certificate in ${file} (LEVEE_TLS_CERT) has the subject '${own.subject.replace(/\n/g, ', ')}': its common name must be ${clusterName}, or no other process takes this one for one of the cluster`,
    );
  const usages = own.keyUsage as readonly string[] | undefined;
  if (usages !== undefined && !usages.includes(clientUsage))
    throw wrong(
      `LEVEE_TLS_CERT is ${file}, which is for servers alone: processes of a cluster show it to each other as clients too (extended key usage clientAuth)`,
    );
}

function certificateIn(name: string, path: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw wrong(`${name} is ${path}, which holds no certificate that can be read: ${messageOf(error)}`);
  }
}

function pemIn(name: string, path: string, label: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw wrong(`${name} is ${path}, which cannot be read: ${messageOf(error)}`);
  }
  if (new RegExp(`-----BEGIN ([A-Z]+ )?${label}-----`).test(text)) return text;
  const found = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1];
  throw wrong(
    `${name} is ${path}, which holds ${found === undefined ? 'no PEM' : `a PEM ${found}`}: it must have a line -----BEGIN ${label}-----`,
  );
}

const wrong = (what: string): SettingsFailure => new SettingsFailure('BAD_SETTINGS', `wrong settings:\n  ${what}`);
