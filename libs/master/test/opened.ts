interface Closable {
  close(): Promise<void>;
}

/** Of one test file, the oldest first. */
const opened: Closable[] = [];

/** Hands `thing` back, and remembers it for {@link closeAll}. */
export function keep<T extends Closable>(thing: T): T {
  opened.push(thing);
  return thing;
}

/** Closes one that was kept, before the others. */
export async function close(thing: Closable): Promise<void> {
  opened.splice(opened.indexOf(thing), 1);
  await thing.close();
}

/** What was opened last is closed first. */
export async function closeAll(): Promise<void> {
  for (const thing of opened.splice(0).reverse()) await thing.close();
}
