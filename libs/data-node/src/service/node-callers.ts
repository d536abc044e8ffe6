import { nodeDoorName, type Authenticator, type ClusterKey, type Principal } from '@levee/auth';
import { failureCode, messageOf, type Clock } from '@levee/kernel';
import { authArguments, type Credentials, type ReplySlot, type RespConnection, type TlsPeer } from '@levee/wire';
import type { NodeIdentity } from '../node-identity';

/** A process of the cluster, or a user. */
type Known = 'cluster' | Principal;

/** Who holds a connection. */
export interface NodeCaller {
  /** `undefined` = nobody yet, or nobody any more. */
  who: Known | undefined;
  /** What its certificate proves. */
  readonly certified: Known | undefined;
  nobodySinceMs: number;
}

/** How callers of a node are known; where nothing is said everybody is a process of the cluster. */
export interface NodeProofs {
  readonly clusterKey?: ClusterKey | undefined;
  /** Common name of the certificates of processes of the cluster. */
  readonly clusterName?: string | undefined;
  /** Knows users; `undefined`: there are none here. */
  readonly authenticator?: Authenticator | undefined;
  readonly clock: Clock;
}

/** What a command asks of who sends it: nothing, that it is known who that is, the right to read what it names, or all. */
export type NodeAccess = 'open' | 'known' | 'read' | 'cluster';

const byProof =
  'NOAUTH this node serves processes of its cluster, which prove with its key or their certificate that they are (LEVEE_CLUSTER_KEY_FILE, LEVEE_TLS_CLUSTER_NAME)';

type Connection = RespConnection<NodeCaller>;

/** Finds out who calls, and what he may have. */
export class NodeCallers {
  private readonly noProof: string;

  constructor(private readonly proofs: NodeProofs) {
    const others = proofs.authenticator
      ? 'users with the right read may AUTH, and then send LV.READ and LV.RANGE'
      : 'everybody else is answered by a portal';
    this.noProof = `${byProof}; ${others}`;
  }

  open({ lastActiveMs }: Connection, peer: TlsPeer | undefined): NodeCaller {
    const certified = this.isOpen ? 'cluster' : peer && this.certifiedBy(peer);
    return { who: certified, certified, nobodySinceMs: lastActiveMs };
  }

  /** Why a command is not carried out for who sends it, as a RESP error; asked anew for each. */
  problem({ who }: NodeCaller, access: NodeAccess): string | undefined {
    if (who === 'cluster' || access === 'open') return undefined;
    if (who === undefined) return this.noProof;
    if (who.problem !== undefined) return `NOAUTH ${who.problem}: AUTH again`;
    if (access !== 'cluster') return undefined;
    return `NOPERM ${who.name} may send LV.READ and LV.RANGE to a node; this command is for processes of the cluster`;
  }

  /** AUTH. Whoever fails is nobody, whoever it was. */
  auth(args: readonly Buffer[], reply: ReplySlot, connection: Connection): void {
    const given = authArguments(args);
    if (given !== undefined) return this.authenticate(given, { reply, connection }, () => reply.ok());
    this.forget(connection.context);
    reply.error('ERR syntax error');
  }

  /** `done` answers once it is known who that is. */
  authenticate(
    { user, secret }: Credentials,
    { reply, connection }: { reply: ReplySlot; connection: Connection },
    done: () => void,
  ): void {
    // As at the doors of portals that ask nobody.
    if (this.isOpen) return done();
    const caller = connection.context;
    this.forget(caller);
    const { authenticator } = this.proofs;
    if (authenticator === undefined) return reply.error(this.noProof);
    // What was sent behind it is not carried out as anybody else.
    reply.holdPipeline();
    authenticator.byPassword(user, secret, connection.remoteAddress.replace(/:\d+$/, '')).then(
      (principal) => {
        if (principal === undefined) return reply.error('WRONGPASS invalid username-password pair or user is disabled');
        caller.who = principal;
        done();
      },
      (error: unknown) =>
        reply.error(`${failureCode(error) === 'LIMIT' ? 'LVLIMIT' : 'LVUNAVAILABLE'} ${messageOf(error)}`),
    );
  }

  /**
   * LV.HELLO: whether the caller is known, and why not. With a proof it is one of the cluster or nobody; without one it is
   * who its certificate says, or stays the user that it is.
   */
  greets(connection: Connection, identity: NodeIdentity, proof: string | undefined): string | undefined {
    const caller = connection.context;
    if (proof === undefined && caller.certified === 'cluster') caller.who = 'cluster';
    else if (proof !== undefined || caller.who === 'cluster') {
      const { clusterKey } = this.proofs;
      const isProven = clusterKey === undefined ? this.isOpen : clusterKey.proves(nodeDoorName(identity), proof ?? '');
      if (isProven) caller.who = 'cluster';
      else this.forget(caller);
    }
    // However many users of its address there are, a process of the cluster is let in.
    if (caller.who === 'cluster') connection.host.leaveAddress(connection);
    return this.problem(caller, 'known');
  }

  /** RESET: who it was before it said so. */
  reset(caller: NodeCaller): void {
    this.forget(caller);
    caller.who = caller.certified;
  }

  forget(caller: NodeCaller): void {
    if (this.isOpen) return;
    if (caller.who !== undefined) caller.nobodySinceMs = this.proofs.clock.monotonicMs();
    caller.who = undefined;
  }

  /** Nobody is asked who he is. */
  private get isOpen(): boolean {
    const { clusterKey, clusterName, authenticator } = this.proofs;
    return (clusterKey ?? clusterName ?? authenticator) === undefined;
  }

  private certifiedBy(peer: TlsPeer): Known | undefined {
    const { clusterName, authenticator } = this.proofs;
    return peer.name === clusterName ? 'cluster' : authenticator?.byCertificate(peer);
  }
}

/**
 * Why `who` may not be told what is in the namespace, as a RESP error. Asked when a request comes, and again when its answer
 * is ready: one that waited is not given to somebody who has lost the right meanwhile.
 */
export function readProblem(who: NodeCaller['who'], namespace: string): string | undefined {
  if (who === 'cluster') return undefined;
  if (who === undefined) return 'NOAUTH Authentication required.';
  if (who.may('read', namespace)) return undefined;
  if (who.problem !== undefined) return `NOAUTH ${who.problem}: AUTH again`;
  return `NOPERM ${who.name} has not the right read in namespace '${namespace.slice(0, 200)}'`;
}
