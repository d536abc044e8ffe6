/**
 * What doors call a failure of a layer below, so that one condition has one code at all of them: what the RESP door can
 * say too begins with LV, also over HTTP and at the command line. Codes that are not here stay as they are.
 */
export const doorCodes: Readonly<Record<string, string>> = {
  NAMESPACE_UNKNOWN: 'LVNAMESPACE',
  VERSION_FROM_FUTURE: 'LVVERSION',
  TOO_LARGE: 'LVLIMIT',
  LIMIT: 'LVLIMIT',
  NOT_READY: 'LVNOTREADY',
  STOPPING: 'LVSTOPPING',
  NOT_SUPPORTED: 'LVUNSUPPORTED',
  UNAVAILABLE: 'LVUNAVAILABLE',
  LOG_UNAVAILABLE: 'LVUNAVAILABLE',
  OUTCOME_UNKNOWN: 'LVINDEFINITE',
};

export function doorCode(code: string): string {
  return doorCodes[code] ?? code;
}
