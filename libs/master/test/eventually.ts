/** Resolves once `look` holds; fails naming `what` after `deadlineMs`. */
export async function eventually(
  what: string,
  look: () => boolean | Promise<boolean>,
  deadlineMs = 10_000,
): Promise<void> {
  const giveUpAt = performance.now() + deadlineMs;
  while (!(await look())) {
    if (performance.now() > giveUpAt) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
