import { createSecureContext } from 'node:tls';
import { silentLogger } from '@levee/kernel';
import { type Network, systemNetwork, TlsNetwork } from '@levee/wire';
import type { TlsChoice } from '../api';
import type { World } from '../world';

/** TCP, or TLS that believes no certificate of another name or authority. */
export function portalNetwork(tls: boolean | TlsChoice | undefined, { clock }: World): Network {
  if (tls === undefined || tls === false) return systemNetwork;
  const { ca, cert, key } = tls === true ? {} : tls;
  const secureContext = createSecureContext({ ca, cert, key, minVersion: 'TLSv1.2' });
  const calling = { secureContext };
  const identity = { serving: {}, calling, callingAsStranger: calling, onChange: () => () => undefined };
  return new TlsNetwork(identity, { logger: silentLogger, clock });
}
