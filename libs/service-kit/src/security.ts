import { readFileSync } from 'node:fs';
import { Authenticator, ClusterKey, type JwtVerifier } from '@levee/auth';
import type { ClusterState } from '@levee/cluster';
import { Failure, messageOf, type Logger } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import { TlsNetwork } from '@levee/wire';
import type { HttpAccess, RouteTable } from './http-access';
import type { Lifecycle } from './lifecycle';
import type { Settings } from '@levee/settings';
import { loadJwts, oidcSettingNames } from './oidc-settings';
import { TlsFiles } from './tls-files';
import { tlsPlan, tlsSettingNames, type TlsSettings } from './tls-settings';

/** Whether doors ask who somebody is, and how processes of the cluster know each other. */
export interface Security {
  readonly authenticates: boolean;
  readonly clusterKey?: ClusterKey | undefined;
  /** How long a process that is cut off from the log believes its users; default 10 minutes. */
  readonly usersBelievedMs?: number;
  /** Of a provider whose tokens stand for users, if there is one. */
  readonly jwts?: JwtVerifier | undefined;
  /** `undefined`: doors speak no TLS. */
  readonly tls?: TlsFiles | undefined;
}

export const securitySettingNames = [
  'LEVEE_AUTH',
  'LEVEE_CLUSTER_KEY_FILE',
  'LEVEE_HOST',
  'LEVEE_USERS_BELIEVED',
  ...oidcSettingNames,
  ...tlsSettingNames,
] as const;

/**
 * As settings have it. `isAlone`: all processes of the cluster are in this one, which needs no key file. Fails with
 * BAD_SETTINGS, also where strangers could reach the doors and nobody has said that they may.
 */
export function loadSecurity(
  settings: Settings<(typeof securitySettingNames)[number]>,
  { isAlone }: { readonly isAlone: boolean },
): Security {
  const { LEVEE_AUTH, LEVEE_HOST: host } = settings;
  if (LEVEE_AUTH === undefined && !isLoopback(host))
    throw new Failure(
      'BAD_SETTINGS',
      `LEVEE_HOST is ${host}, where others than this machine reach the doors, and nobody has to say who he is: set LEVEE_AUTH=on, or LEVEE_AUTH=off if whoever reaches them may do everything (docs/security.md)`,
    );
  const clusterKey = loadClusterKey(settings);
  const tls = loadTls(settings);
  const jwts = loadJwts(settings, systemClock);
  const asking = { authenticates: true, usersBelievedMs: settings.LEVEE_USERS_BELIEVED, jwts, tls };
  if (LEVEE_AUTH !== 'on') return { authenticates: false, clusterKey, tls };
  if (isAlone) return { ...asking, clusterKey: clusterKey ?? ClusterKey.random() };
  if (clusterKey === undefined && tls?.plan.clusterName === undefined)
    throw new Failure(
      'BAD_SETTINGS',
      'LEVEE_AUTH is on, and neither LEVEE_CLUSTER_KEY_FILE nor LEVEE_TLS_CLUSTER_NAME is set: processes of one cluster know each other by a key, or by certificates. Write one file for all of them: openssl rand -hex 32 > cluster.key',
    );
  return { ...asking, clusterKey };
}

/** Certificates are read anew when they change, and at once on SIGHUP, until the process drains. */
export function watchCertificates({ tls }: Security, lifecycle: Lifecycle, logger: Logger): void {
  if (tls === undefined) return;
  const end = tls.watch(logger, systemTimers);
  const look = (): void => tls.look();
  process.on('SIGHUP', look);
  lifecycle.onDrain('certificates', () => {
    end();
    process.off('SIGHUP', look);
  });
}

/** How RESP doors listen and other processes are called; `undefined`: TCP as it is. */
export function tlsNetwork({ tls }: Security = { authenticates: false }, logger: Logger): TlsNetwork | undefined {
  return tls && new TlsNetwork(tls, { logger, clock: systemClock });
}

/** `undefined`: no TLS. Fails with BAD_SETTINGS, naming the file that is wrong. */
export function loadTls(settings: TlsSettings): TlsFiles | undefined {
  const plan = tlsPlan(settings);
  return plan && new TlsFiles(plan, systemClock);
}

/** What the doctor of this process knows of its own doors. */
export function ownDoors(host: string, { authenticates, tls }: Security): OwnDoors {
  const own = { authenticates, speaksTls: tls !== undefined, isReachable: !isLoopback(host) };
  return { own, ownTroubles: () => (tls?.troubles ?? []).map(({ message }) => message) };
}

interface OwnDoors {
  readonly own: { readonly authenticates: boolean; readonly speaksTls: boolean; readonly isReachable: boolean };
  readonly ownTroubles: () => readonly string[];
}

/** Only this machine reaches it. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** `undefined`: none is set. Fails with BAD_SETTINGS. */
export function loadClusterKey({
  LEVEE_CLUSTER_KEY_FILE: file,
}: Settings<'LEVEE_CLUSTER_KEY_FILE'>): ClusterKey | undefined {
  return file === undefined ? undefined : ClusterKey.parse(keyText(file), file);
}

function keyText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Failure('BAD_SETTINGS', `LEVEE_CLUSTER_KEY_FILE cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/** What a process knows of the cluster, and for how long it may not have heard of a decision. */
interface KnownUsers {
  readonly state: ClusterState;
  readonly unheardMs: number;
}

/** Who may call what at an HTTP door whose cluster is known a moment later. */
export class DoorAccess implements HttpAccess {
  readonly clusterKey: ClusterKey | undefined;
  readonly clusterName: string | undefined;
  readonly authenticator: (() => Authenticator) | undefined;
  private made: Authenticator | undefined;

  constructor(
    readonly routes: RouteTable,
    private readonly security: Security = { authenticates: false },
  ) {
    this.clusterKey = security.clusterKey;
    this.clusterName = security.tls?.plan.clusterName;
    this.authenticator = security.authenticates ? () => this.asked() : undefined;
  }

  /** From now on users are those that this view knows. */
  knows(view: KnownUsers, logger: Logger): void {
    const users = {
      state: () => view.state,
      unheardMs: () => view.unheardMs,
      believedMs: this.security.usersBelievedMs,
      jwts: this.security.jwts,
    };
    const world = { ...users, logger, clock: systemClock, timers: systemTimers };
    if (this.security.authenticates) this.made = new Authenticator(world);
  }

  /** From now on the door shares what another door of the process has found out. */
  shares(authenticator: Authenticator | undefined): void {
    this.made = authenticator;
  }

  private asked(): Authenticator {
    if (this.made !== undefined) return this.made;
    throw new Failure('NOT_READY', 'this process does not know its users yet: try again in a moment');
  }
}
