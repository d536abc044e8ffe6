import type Redis from 'ioredis';

/** Partitions that stand still, as far as the portal of this door has heard. */
export async function writeStops(door: Redis): Promise<readonly unknown[]> {
  const { stops } = JSON.parse(String(await door.call('LV.STOPS'))) as { stops: unknown[] };
  return stops;
}
