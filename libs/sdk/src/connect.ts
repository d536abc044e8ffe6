import type { Client, ClientStatus, ConnectOptions, Namespace } from './api';
import { StoredNamespace, type NamespaceWorld } from './client/stored-namespace';
import { bytes } from './codecs/codec';
import { DefiniteError } from './errors';
import { checkedLimits } from './limits';
import { PortalDistance } from './portal/portal-distance';
import { systemWorld, type World } from './world';

const deadlineMsDefault = 10_000;

/**
 * Resolves when a portal answers. Rejects with DeniedError when it does not let this client in, with UnavailableError
 * when none answers within the deadline, and with RangeError when an option cannot be meant.
 */
export async function connect(options: ConnectOptions): Promise<Client> {
  refuseOthers(options);
  const { deadlineMs = deadlineMsDefault } = options;
  if (!(deadlineMs > 0)) throw new RangeError(`deadlineMs is ${deadlineMs}: it must be above 0`);
  const distance = new PortalDistance(options, checkedLimits(options.limits), systemWorld);
  try {
    await distance.open(deadlineMs);
  } catch (error) {
    await distance.close();
    throw error;
  }
  return new ConnectedClient(distance, { deadlineMs, world: systemWorld });
}

/** Options that somebody may expect, and why there are none such. */
const notYet: Readonly<Record<string, string>> = {
  brokers:
    'this client does not write to the log itself, nor read it: name portals, and give reads: direct() of ' +
    "'@levee/client/direct' where reads shall go to data nodes",
  local:
    "a replica inside this process is asked for with reads: local({ ... }) of '@levee/client/local'; name portals too",
};

function refuseOthers(options: ConnectOptions): void {
  for (const [name, why] of Object.entries(notYet)) if (name in options) throw new RangeError(`${name}: ${why}`);
  if (!Array.isArray(options.portals))
    throw new RangeError("portals is missing: name at least one, as portals: ['host:7379']");
}

class ConnectedClient implements Client {
  private readonly namespaces = new Map<string, Namespace<Buffer>>();
  private closing: Promise<void> | undefined;

  constructor(
    private readonly distance: PortalDistance,
    private readonly how: NamespaceWorld & { readonly world: World },
  ) {}

  namespace(name: string): Namespace<Buffer> {
    if (this.closing) throw new DefiniteError('CLIENT_CLOSED', 'the client is closed');
    const known = this.namespaces.get(name);
    if (known) return known;
    const made = new StoredNamespace<Buffer>(name, this.distance.reach(name), bytes, this.how);
    this.namespaces.set(name, made);
    return made;
  }

  status(): ClientStatus {
    return this.distance.status();
  }

  close(): Promise<void> {
    return (this.closing ??= this.distance.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
