/** Since when the command under way is incomplete; another one begins anew. */
export class UnfinishedCommand {
  sinceMs: number | undefined;
  private after = 0;

  /** `completed`: commands before it. */
  look(
    { isUnfinished, completed }: { readonly isUnfinished: boolean; readonly completed: number },
    clock: { monotonicMs(): number },
  ): void {
    if (isUnfinished && this.sinceMs !== undefined && this.after === completed) return;
    this.sinceMs = isUnfinished ? clock.monotonicMs() : undefined;
    this.after = completed;
  }
}
