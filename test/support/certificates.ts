import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';

/**
 * Certificates of a test run, made here: just enough of X.509 (RFC 5280) for an authority, servers and clients, each
 * field in DER. Nothing of it is for anything but tests.
 */
export interface CertificateWish {
  /** Common name of the subject; more than one is a subject that nobody should believe. */
  readonly name: string | readonly string[];
  /** Names and addresses that a server is called by. */
  readonly hosts?: readonly string[];
  /** Both by default. */
  readonly usages?: readonly ('server' | 'client')[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

export interface Certified {
  readonly cert: string;
  readonly key: string;
}

const dayMs = 86_400_000;

export class TestAuthority {
  private readonly keys = newKeys();
  private readonly subject: Buffer;
  /** PEM. */
  readonly cert: string;

  constructor(name = 'levee test authority') {
    this.subject = nameOf([name]);
    const extensions = [basicConstraints(), keyUsage(), subjectKey(this.keys.publicKey)];
    this.cert = pem('CERTIFICATE', this.signed(this.subject, this.keys.publicKey, { name }, extensions));
  }

  issue(wish: CertificateWish): Certified {
    const keys = newKeys();
    const subject = nameOf([wish.name].flat());
    const usages = wish.usages ?? ['server', 'client'];
    const extensions = [extendedKeyUsage(usages), authorityKey(this.keys.publicKey)];
    if (wish.hosts !== undefined && wish.hosts.length > 0) extensions.push(alternativeNames(wish.hosts));
    const cert = pem('CERTIFICATE', this.signed(subject, keys.publicKey, wish, extensions));
    return { cert, key: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
  }

  private signed(subject: Buffer, key: KeyObject, wish: CertificateWish, extensions: readonly Buffer[]): Buffer {
    const from = wish.notBefore ?? new Date(Date.now() - dayMs);
    const to = wish.notAfter ?? new Date(Date.now() + 30 * dayMs);
    const serial = randomBytes(8);
    serial[0] = ((serial[0] as number) & 0x7f) | 1;
    const body = sequence(
      tagged(0xa0, integer(Buffer.from([2]))),
      integer(serial),
      ecdsaWithSha256,
      this.subject,
      sequence(time(from), time(to)),
      subject,
      key.export({ type: 'spki', format: 'der' }),
      tagged(0xa3, sequence(...extensions)),
    );
    const signature = sign('sha256', body, this.keys.privateKey);
    return sequence(body, ecdsaWithSha256, bits(signature));
  }
}

/** Files as the settings name them; whoever is given must be one of `authority`. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export function writeCertificates(folder: string, name: string, of: Certified, ca: string): CertificateFiles {
  mkdirSync(folder, { recursive: true });
  const files = {
    cert: join(folder, `${name}.crt`),
    key: join(folder, `${name}.key`),
    ca: join(folder, 'ca.crt'),
  };
  writeFileSync(files.cert, of.cert);
  writeFileSync(files.key, of.key, { mode: 0o600 });
  writeFileSync(files.ca, ca);
  return files;
}

function newKeys(): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function tagged(tag: number, body: Buffer): Buffer {
  const length =
    body.length < 0x80
      ? Buffer.from([body.length])
      : body.length < 0x100
        ? Buffer.from([0x81, body.length])
        : Buffer.from([0x82, body.length >> 8, body.length & 0xff]);
  return Buffer.concat([Buffer.from([tag]), length, body]);
}

const sequence = (...parts: readonly Buffer[]): Buffer => tagged(0x30, Buffer.concat(parts));
const integer = (bytes: Buffer): Buffer => tagged(0x02, bytes);
const bits = (bytes: Buffer): Buffer => tagged(0x03, Buffer.concat([Buffer.from([0]), bytes]));
const octets = (bytes: Buffer): Buffer => tagged(0x04, bytes);
const utf8 = (text: string): Buffer => tagged(0x0c, Buffer.from(text));

function identifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second];
  for (const each of rest) {
    const digits = [each & 0x7f];
    for (let left = each >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return tagged(0x06, Buffer.from(bytes));
}

/** RFC 5280: UTCTime before 2050, GeneralizedTime from then on. */
function time(at: Date): Buffer {
  const text = at.toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return Number(text.slice(0, 4)) < 2050
    ? tagged(0x17, Buffer.from(`${text.slice(2)}Z`))
    : tagged(0x18, Buffer.from(`${text}Z`));
}

function nameOf(names: readonly string[]): Buffer {
  return sequence(...names.map((name) => tagged(0x31, sequence(identifier('2.5.4.3'), utf8(name)))));
}

const ecdsaWithSha256 = sequence(identifier('1.2.840.10045.4.3.2'));
const yes = tagged(0x01, Buffer.from([0xff]));

function basicConstraints(): Buffer {
  return sequence(identifier('2.5.29.19'), yes, octets(sequence(yes)));
}

/** Signs certificates. */
function keyUsage(): Buffer {
  return sequence(identifier('2.5.29.15'), yes, octets(tagged(0x03, Buffer.from([2, 0x04]))));
}

function keyIdOf(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest();
}

function subjectKey(key: KeyObject): Buffer {
  return sequence(identifier('2.5.29.14'), octets(octets(keyIdOf(key))));
}

function authorityKey(key: KeyObject): Buffer {
  return sequence(identifier('2.5.29.35'), octets(sequence(tagged(0x80, keyIdOf(key)))));
}

function extendedKeyUsage(usages: readonly ('server' | 'client')[]): Buffer {
  const ids = usages.map((usage) => identifier(`1.3.6.1.5.5.7.3.${usage === 'server' ? 1 : 2}`));
  return sequence(identifier('2.5.29.37'), octets(sequence(...ids)));
}

function alternativeNames(hosts: readonly string[]): Buffer {
  const names = hosts.map((host) =>
    isIP(host) === 4 ? tagged(0x87, Buffer.from(host.split('.').map(Number))) : tagged(0x82, Buffer.from(host)),
  );
  return sequence(identifier('2.5.29.17'), octets(sequence(...names)));
}
