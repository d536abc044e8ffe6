import type { UserState } from '@levee/events';
import type { Finding } from './finding';

/** What the doctor knows of the doors. */
export interface SecurityFacts {
  /** Of the process that looks, and so of those that have its settings. */
  readonly own: {
    readonly authenticates: boolean;
    readonly speaksTls: boolean;
    /** Others than its own machine reach it. */
    readonly isReachable: boolean;
  };
  readonly users: readonly Pick<UserState, 'name' | 'state' | 'tokens'>[];
  /** Processes that answered what they should not, to somebody who did not say who he is. */
  readonly openDoors: readonly OpenDoor[];
  /** What is wrong with certificates, in words. */
  readonly certificates: readonly { readonly subject: string; readonly problem: string }[];
}

export interface OpenDoor {
  readonly kind: string;
  readonly id: string;
  readonly address: string;
  readonly path: string;
}

type SecurityRule = (facts: SecurityFacts) => readonly Omit<Finding, 'rule'>[];

/** What somebody has to mend. */
export const securityFindings: Readonly<Record<string, SecurityRule>> = {
  'door-open': ({ openDoors }) =>
    openDoors.map(({ kind, id, address, path }) => ({
      subject: id,
      finding: `${kind} ${id} answers ${path} at ${address} to anybody: it was started without LEVEE_AUTH=on`,
      impact: 'whoever reaches its doors may do there what he likes, whatever rights users have',
      command: `restart ${id} with LEVEE_AUTH=on, as the others   # set it for all of them in one place`,
    })),

  certificate: ({ certificates }) =>
    certificates.map(({ subject, problem }) => ({
      subject,
      finding: `${subject}: ${problem}`,
      impact: 'clients and other processes refuse a certificate that has ended; who is connected stays',
      command: 'openssl x509 -in "$LEVEE_TLS_CERT" -noout -subject -enddate',
    })),
};

/** What a security team would ask about: nothing is broken, and the doctor calls the cluster healthy all the same. */
export const securityWeaknesses: Readonly<Record<string, SecurityRule>> = {
  'authentication-off': ({ own }) =>
    own.authenticates || !own.isReachable
      ? []
      : [
          {
            subject: 'LEVEE_AUTH',
            finding: 'authentication is off, and others than this machine reach the doors',
            impact: 'whoever reaches a door may do everything',
            command: 'LEVEE_AUTH=on for every process   # docs/security.md',
          },
        ],

  'no-tls': ({ own }) =>
    own.speaksTls || !own.isReachable
      ? []
      : [
          {
            subject: 'LEVEE_TLS_CERT',
            finding: 'doors speak no TLS, and others than this machine reach them',
            impact: 'passwords, tokens and data go over the wire as they are',
            command: 'LEVEE_TLS_CERT, LEVEE_TLS_KEY and LEVEE_TLS_CA for every process   # docs/security.md',
          },
        ],

  'token-without-end': ({ users }) =>
    users
      .filter(({ state }) => state === 'active')
      .flatMap(({ name, tokens }) =>
        tokens
          .filter(({ expiresAtMs }) => expiresAtMs === null)
          .map(({ tokenId }) => ({
            subject: name,
            finding: `token ${tokenId} of user ${name} holds until somebody revokes it`,
            impact: 'who finds it years from now can use it',
            command: `levee token create ${name} --expires 90d, then: levee token revoke ${name} ${tokenId}`,
          })),
      ),
};

export function applied(
  rules: Readonly<Record<string, SecurityRule>>,
  facts: SecurityFacts,
  findingsPerRuleMax: number,
): Finding[] {
  return Object.entries(rules).flatMap(([rule, look]) => {
    const found = look(facts);
    const last = found[findingsPerRuleMax - 1];
    if (last === undefined || found.length <= findingsPerRuleMax) return found.map((each) => ({ rule, ...each }));
    const more = found.length - findingsPerRuleMax;
    const shown = [...found.slice(0, -more - 1), { ...last, finding: `${last.finding}; and ${more} more like it` }];
    return shown.map((each) => ({ rule, ...each }));
  });
}
