/** When a client last took something of what it was sent, or had taken all. */
export class TakenOutput {
  private takenBytes = 0;
  private writtenBytes = 0;

  constructor(private atMs: number) {}

  wrote(bytes: number): void {
    this.writtenBytes += bytes;
  }

  tookAll(nowMs: number): void {
    this.atMs = nowMs;
  }

  /** For how long it has taken nothing of what waits for it; 0 when nothing does. */
  untakenMs(nowMs: number, untakenBytes: number): number {
    const takenBytes = this.writtenBytes - untakenBytes;
    if (untakenBytes === 0 || takenBytes > this.takenBytes) this.atMs = nowMs;
    this.takenBytes = takenBytes;
    return nowMs - this.atMs;
  }
}
