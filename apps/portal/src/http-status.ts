import { rejectionCodes } from '@levee/cluster';
import type { StoreErrorCode } from '@levee/client';
import { rejectionStatus } from '@levee/service-kit';

const byStoreError: Readonly<Record<StoreErrorCode, number>> = {
  LVDEFINITE: 503,
  LVINDEFINITE: 502,
  LVPENDING: 202,
  LVUNCOUNTED: 202,
  LVPARTIAL: 503,
  LVUNREADABLE: 422,
  LVLIMIT: 429,
  LVFULL: 507,
  LVSTOPPED: 503,
  LVFROZEN: 423,
  LVREADONLY: 405,
  LVSOURCE: 503,
  LVBEHIND: 503,
  LVSTALE: 503,
  LVUNAVAILABLE: 503,
  LVNAMESPACE: 404,
  LVANEW: 409,
  LVVERSION: 409,
  LVRESERVED: 403,
  LVSESSION: 400,
  LVREQUEST: 409,
  LVCURSOR: 410,
  LVHISTORY: 410,
  LVUNSUPPORTED: 501,
  LVNOTREADY: 503,
  LVSTOPPING: 503,
};

/** The one table from codes of the store and of rejected commands to HTTP status codes. */
export const statusByCode: Readonly<Record<string, number>> = {
  ...Object.fromEntries(Object.keys(rejectionCodes).map((code) => [code, rejectionStatus(code)])),
  ...byStoreError,
  VERSION_FROM_FUTURE: 409,
  /** The topic that a namespace was to be bound to. */
  SOURCE_UNFIT: 422,
  /** A body, key or value above its limit. */
  TOO_LARGE: 413,
};
