const orderKeyPrefix = 'order:';

/** In the topic of digests, whose other keys begin with the id of a chunk: no name of a namespace has a colon. */
export const digestOrderKey = (digestPlan: string): Buffer => Buffer.from(`${orderKeyPrefix}${digestPlan}`);

export function isDigestOrderKey(key: Buffer | null): boolean {
  return key?.toString('latin1', 0, orderKeyPrefix.length) === orderKeyPrefix;
}
