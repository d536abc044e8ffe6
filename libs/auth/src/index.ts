export { Authenticator } from './authenticator';
export { asStranger, ClusterHttp } from './cluster-http';
export {
  ClusterKey,
  clusterHeaders,
  clusterScheme,
  clusterUser,
  httpDoorName,
  nodeDoorName,
  nodeHello,
  portalAuth,
  portalDoorName,
} from './cluster-key';
export { verifyingKeys } from './jwt/jwt';
export { KeySet } from './jwt/key-set';
export { JwtVerifier } from './jwt/jwt-verifier';
export { TrustedPrincipal, type Principal } from './principal';
export { hashPassword, newToken, secretLimits, tokenOf } from './secrets';
