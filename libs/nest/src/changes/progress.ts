/** Of changes that are handled side by side: up to where all are done, in the order in which they came. */
export class Progress {
  private readonly open: { readonly token: string; isDone: boolean }[] = [];

  /** `token`: behind the last change before which nothing is open. */
  constructor(public token: string | undefined = undefined) {}

  /** A change came; call the result once it is done. */
  begin(token: string): () => void {
    const entry = { token, isDone: false };
    this.open.push(entry);
    return () => {
      entry.isDone = true;
      while (this.open[0]?.isDone === true) this.token = this.open.shift()?.token;
    };
  }

  get waiting(): number {
    return this.open.length;
  }
}
