const tickMs = 5;
/** What a tick counts at most while the process did not work: it had its turn late, and could have done nothing. */
const idleMsMax = 5 * tickMs;

/**
 * Time in which this process had its turn. On a machine that is busy with others it goes more slowly than the clock, and it
 * goes on while the process works, however long it keeps its event loop: so it says how long this process made others wait.
 */
export class OwnTime {
  private passedMs = 0;
  private lastMs = performance.now();
  private lastCpu = process.cpuUsage();
  private readonly timer = setInterval(() => this.tick(), tickMs);

  get ms(): number {
    this.tick();
    return this.passedMs;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private tick(): void {
    const [nowMs, cpu] = [performance.now(), process.cpuUsage()];
    const workedMs = (cpu.user - this.lastCpu.user + cpu.system - this.lastCpu.system) / 1_000;
    this.passedMs += Math.min(nowMs - this.lastMs, Math.max(workedMs, idleMsMax));
    this.lastMs = nowMs;
    this.lastCpu = cpu;
  }
}
