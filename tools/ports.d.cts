/** One port per wish, held until the last is known; 0 = any free one, of those that a system gives to nobody by itself. */
export function claimPorts(wishes: readonly number[], host?: string): Promise<number[]>;
