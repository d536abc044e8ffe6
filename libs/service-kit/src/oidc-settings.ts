import { readFileSync } from 'node:fs';
import { JwtVerifier, KeySet, verifyingKeys } from '@levee/auth';
import { Failure, messageOf, type Clock } from '@levee/kernel';
import type { Settings } from '@levee/settings';

/** The settings that name a provider of OpenID. */
export const oidcSettingNames = [
  'LEVEE_OIDC_ISSUER',
  'LEVEE_OIDC_AUDIENCE',
  'LEVEE_OIDC_JWKS',
  'LEVEE_OIDC_USER_CLAIM',
] as const;

type OidcSettings = Settings<(typeof oidcSettingNames)[number]>;

/** `undefined`: no provider. Fails with BAD_SETTINGS, also when the file of its keys cannot be used. */
export function loadJwts(settings: OidcSettings, clock: Clock): JwtVerifier | undefined {
  const { LEVEE_OIDC_ISSUER: issuer, LEVEE_OIDC_AUDIENCE: audience, LEVEE_OIDC_JWKS: source } = settings;
  if (issuer === undefined && audience === undefined && source === undefined) return undefined;
  if (issuer === undefined || audience === undefined || source === undefined) {
    const three = ['LEVEE_OIDC_ISSUER', 'LEVEE_OIDC_AUDIENCE', 'LEVEE_OIDC_JWKS'] as const;
    const missing = three.filter((name) => settings[name] === undefined).join(' and ');
    throw new Failure(
      'BAD_SETTINGS',
      `${missing} is not set: tokens of a provider are believed by its issuer, their audience and its keys together`,
    );
  }
  if (!/^https?:/.test(source)) checkKeys(source);
  const claims = { issuer, audience, userClaim: settings.LEVEE_OIDC_USER_CLAIM };
  return new JwtVerifier(claims, new KeySet(source, clock), clock);
}

function checkKeys(file: string): void {
  try {
    verifyingKeys(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Failure('BAD_SETTINGS', `LEVEE_OIDC_JWKS is ${file}, which cannot be used: ${messageOf(error)}`);
  }
}
