import { constants } from 'node:crypto';
import {
  checkServerIdentity,
  createSecureContext,
  rootCertificates,
  type PeerCertificate,
  type SecureContextOptions,
} from 'node:tls';
import { messageOf, type Clock, type HealthTrouble, type Logger, type Timers } from '@levee/kernel';
import type { TlsIdentity } from '@levee/wire';
import { ownCertificate, readPems, type TlsPems, type TlsPlan } from './tls-settings';

const tlsLimits = {
  /** Between two looks at the files. */
  lookMs: 5_000,
  /** A certificate that ends sooner is told of. */
  endsSoonMs: 14 * 86_400_000,
} as const;

interface Loaded {
  readonly serving: TlsIdentity['serving'];
  readonly calling: TlsIdentity['calling'];
  readonly callingAsStranger: TlsIdentity['calling'];
  readonly endsAtMs: number;
}

/**
 * Certificate, key and authority of this process, as the files have them: read again and again, so that a renewed pair
 * holds without a restart. One that is broken is told of and not taken: the old pair stays.
 */
export class TlsFiles implements TlsIdentity {
  private pems: TlsPems;
  private loaded: Loaded;
  private readonly listeners = new Set<() => void>();
  private trouble: string | undefined;
  private logger: Logger | undefined;
  private readonly counts = { reloads: 0, reloadsFailed: 0 };

  /** Fails with BAD_SETTINGS. */
  constructor(
    readonly plan: TlsPlan,
    private readonly clock: Clock,
  ) {
    this.pems = readPems(plan, clock.nowMs());
    this.loaded = load(plan, this.pems);
  }

  get serving(): TlsIdentity['serving'] {
    return this.loaded.serving;
  }

  get calling(): TlsIdentity['calling'] {
    return this.loaded.calling;
  }

  get callingAsStranger(): TlsIdentity['calling'] {
    return this.loaded.callingAsStranger;
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** Looks at the files now and then; the returned function ends it. */
  watch(logger: Logger, timers: Timers): () => void {
    this.logger = logger;
    let cancel = (): void => undefined;
    const later = (): void => {
      cancel = timers.after(tlsLimits.lookMs, () => {
        this.look();
        later();
      });
    };
    later();
    return () => cancel();
  }

  /** Takes what the files hold now, if it is another pair and a whole one. */
  look(): void {
    try {
      const pems = readPems(this.plan, this.clock.nowMs());
      this.trouble = undefined;
      if (pems.cert === this.pems.cert && pems.key === this.pems.key && pems.ca === this.pems.ca) return;
      this.loaded = load(this.plan, pems);
      this.pems = pems;
      for (const listener of this.listeners) listener();
    } catch (error) {
      this.refuse(error);
      return;
    }
    this.counts.reloads++;
    const ends = new Date(this.loaded.endsAtMs).toISOString();
    this.logger?.info({ file: this.plan.files.cert, ends }, 'the certificate was read anew: new connections get it');
  }

  get troubles(): readonly HealthTrouble[] {
    const { file, endsAtMs } = { file: this.plan.files.cert, endsAtMs: this.loaded.endsAtMs };
    if (this.trouble !== undefined)
      return [
        {
          what: 'certificate',
          file,
          message: `the files of the certificate are broken, and the old one is still used: ${this.trouble}`,
        },
      ];
    const leftMs = endsAtMs - this.clock.nowMs();
    if (leftMs > tlsLimits.endsSoonMs) return [];
    const ends = new Date(endsAtMs).toISOString();
    return [
      {
        what: 'certificate',
        file,
        ends,
        message: `the certificate ${leftMs > 0 ? 'ends' : 'ended'} at ${ends}: put a new one into ${file} and its key beside it; no restart is needed`,
      },
    ];
  }

  stats(): Readonly<Record<string, number>> {
    const { endsAtMs } = this.loaded;
    const secondsLeft = Math.floor((endsAtMs - this.clock.nowMs()) / 1000);
    return { ...this.counts, broken: this.trouble === undefined ? 0 : 1, secondsLeft };
  }

  private refuse(error: unknown): void {
    const message = messageOf(error).replace(/^wrong settings:\n\s*/, '');
    if (message === this.trouble) return;
    this.trouble = message;
    this.counts.reloadsFailed++;
    this.logger?.error(
      { file: this.plan.files.cert, why: message },
      'the files of the certificate are broken: the old one is still used',
    );
  }
}

function load({ minVersion, clientAuth, clusterName }: TlsPlan, { cert, key, ca }: TlsPems): Loaded {
  const own = ownCertificate(cert);
  const pair: SecureContextOptions = { cert, key, minVersion };
  const believed = ca === undefined ? rootCertificates : [ca];
  // Its own certificate too: in one process doors are called that have the same.
  const trust = { ca: [...believed, own.toString()], allowPartialTrustChain: true };
  const identity: Pick<TlsIdentity['calling'], 'checkServerIdentity'> = {
    checkServerIdentity: (host, peer) =>
      peer.fingerprint256 === own.fingerprint256 ? undefined : wrongServer(host, peer, clusterName),
  };
  return {
    serving: {
      ...pair,
      ...(ca === undefined ? {} : { ca }),
      requestCert: clientAuth !== 'none',
      rejectUnauthorized: clientAuth === 'required',
      // A session that is resumed would stand for a certificate that nobody looked at again.
      secureOptions: constants.SSL_OP_NO_TICKET,
    },
    calling: { secureContext: createSecureContext({ ...pair, ...trust }), ...identity },
    callingAsStranger: { secureContext: createSecureContext({ minVersion, ...trust }), ...identity },
    endsAtMs: Date.parse(own.validTo),
  };
}

/** With a name of the cluster every process shows it, wherever it runs; else a certificate is one of its host. */
function wrongServer(host: string, peer: PeerCertificate, clusterName: string | undefined): Error | undefined {
  if (clusterName === undefined) return checkServerIdentity(host, peer);
  const name: unknown = peer.subject.CN;
  if (name === clusterName) return undefined;
  return new Error(`${host} shows a certificate of '${String(name)}', not of ${clusterName} (LEVEE_TLS_CLUSTER_NAME)`);
}
