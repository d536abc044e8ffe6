/** What is opened, and closed once. */
interface Opened {
  close(): Promise<void>;
}

/**
 * What this process holds, by name, at most once each: where a second attempt of the same process must not reach what
 * would refuse one of another process.
 */
export class HeldHere {
  private readonly names = new Set<string>();

  /** Holds it until it is closed. `undefined`: somebody here has it, or `open` says so. Fails as `open` does. */
  async hold(name: string, open: () => Promise<Opened | undefined>): Promise<Opened | undefined> {
    if (this.names.has(name)) return undefined;
    this.names.add(name);
    const letGo = (): boolean => this.names.delete(name);
    let opened: Opened | undefined;
    try {
      opened = await open();
      return opened && { close: () => (opened as Opened).close().finally(letGo) };
    } finally {
      if (opened === undefined) letGo();
    }
  }
}
