import { doctorLimits, type DoctorReport, examineCluster } from '@levee/audit';
import { MaintenanceEnds, type ControlTopics } from '@levee/journal';
import type { Logger } from '@levee/kernel';
import { systemClock, systemTimers, type Log } from '@levee/log';
import { askNode } from './ask-node';
import type { Portal } from './portal';

/** Looks at the cluster on demand, one look at a time; knows how long maintenances last. */
export class Doctor {
  private readonly maintenance: MaintenanceEnds;
  private under: Promise<DoctorReport> | undefined;
  private closed = false;

  constructor(
    private readonly log: Log,
    private readonly portal: Portal,
    private readonly options: { readonly topics: ControlTopics; readonly logger: Logger },
  ) {
    const world = { ...options, clock: systemClock, timers: systemTimers };
    this.maintenance = new MaintenanceEnds(log, portal.view, world);
  }

  /** Begins to follow maintenances once the portal has read the cluster. */
  start(): void {
    void this.portal.ready().then(() => {
      if (!this.closed) this.maintenance.start();
    });
  }

  close(): void {
    this.closed = true;
    this.maintenance.stop();
  }

  /** When the maintenance of a node ends; null when it is in none, or that is not known yet. */
  maintenanceUntil(nodeId: string): string | null {
    const untilMs = this.maintenance.endOf(nodeId);
    return untilMs === undefined ? null : new Date(untilMs).toISOString();
  }

  /** Who asks while a look is under way gets that one. */
  examine(): Promise<DoctorReport> {
    this.under ??= this.look().finally(() => (this.under = undefined));
    return this.under;
  }

  private look(): Promise<DoctorReport> {
    return examineCluster(this.portal.view.state, {
      log: this.log,
      topics: this.options.topics,
      clock: systemClock,
      timers: systemTimers,
      ask: (url) => askNode(url, doctorLimits.askMs / 2),
      portalProblem: this.portal.readyProblem(),
      writeProblem: this.portal.writeProblem,
      journalShort: this.portal.view.short,
      maintenanceUntilMs: (nodeId) => this.maintenance.endOf(nodeId),
    });
  }
}
