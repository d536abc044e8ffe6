import { doctorLimits, type DoctorReport, examineCluster, type SecurityWorld } from '@levee/audit';
import { MaintenanceEnds, type ControlTopics } from '@levee/journal';
import type { Logger } from '@levee/kernel';
import { systemClock, systemTimers, type Log } from '@levee/log';
import type { Portal } from './portal';
import type { Proofs } from './proofs';

/** Looks at the cluster on demand, one look at a time; knows how long maintenances last. */
export class Doctor {
  private readonly maintenance: MaintenanceEnds;
  private under: Promise<DoctorReport> | undefined;
  private closed = false;

  constructor(
    private readonly log: Log,
    private readonly portal: Portal,
    private readonly options: {
      readonly topics: ControlTopics;
      readonly logger: Logger;
      readonly proofs: Pick<Proofs, 'list'>;
      readonly security?: Omit<SecurityWorld, 'askOpenly'> | undefined;
    },
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
      seq: () => this.portal.view.seq,
      clock: systemClock,
      timers: systemTimers,
      ask: (address, path) => this.portal.http.json(address, path, doctorLimits.askMs / 2),
      scheme: this.portal.http.scheme,
      portalProblem: this.portal.readyProblem(),
      writeProblem: this.portal.writeProblem,
      journalShort: this.portal.view.short,
      journalUnheardMs: this.portal.serves ? this.portal.view.unheardMs : undefined,
      security: this.options.security && {
        ...this.options.security,
        askOpenly: (address, path) => this.portal.strangerHttp.json(address, path, doctorLimits.askMs / 2),
      },
      maintenanceUntilMs: (nodeId) => this.maintenance.endOf(nodeId),
      proofs: this.options.proofs.list(undefined),
    });
  }
}
