import { mkdirSync, readdirSync, readFileSync, rmdirSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClusterProcess, ProcessDoors } from './cluster-process';
import { pause } from './cluster-under-load';
import { eventually } from './deadline';
import type { Plan, PlanDoor } from './plan-door';

/** How far a format is when its node dies: replicas under way, all gone, units partly cleared, all made anew. */
const formatMoments = ['emptying', 'emptied', 'carving', 'carved'] as const;
type FormatMoment = (typeof formatMoments)[number];

export interface FormatPoint {
  readonly moment: FormatMoment;
  /** Milliseconds after its replicas began to move; elsewhere the moment itself is struck. */
  readonly insideMs: number;
  /** Milliseconds until it is started again. */
  readonly awayMs: number;
}

const insideMsMax = 600;
const awayMsMax = 2_000;
const reachMs = 90_000;
/** Clearing what is left of so many files takes long enough to be struck in the middle of it. */
const litter = { units: 4, files: 800 } as const;

/** Every moment, twice. */
export function formatPoints(random: () => number): FormatPoint[] {
  return [...formatMoments, ...formatMoments].map((moment) => ({
    moment,
    insideMs: moment === 'emptying' ? Math.round(random() * insideMsMax) : 0,
    awayMs: Math.round(100 + random() * (awayMsMax - 100)),
  }));
}

export const saysFormatPoint = ({ moment, insideMs, awayMs }: FormatPoint): string =>
  `format: kill of its node ${moment === 'emptying' ? `${insideMs} ms after its replicas begin to move` : moment}, for ${awayMs} ms`;

interface RecordedFormat {
  readonly planId: string;
  readonly units: readonly unknown[];
  readonly toClear: readonly unknown[];
}

/** Formats a node in use to `units` (of 64 MiB, LevelDB), kills it at the point and starts it again. */
export class FormatStrike {
  private readonly folder: string;
  private readonly pid: number;

  constructor(
    private readonly cluster: ClusterProcess,
    private readonly door: PlanDoor,
    private readonly options: { readonly nodeId: string; readonly units: number },
  ) {
    const doors = this.doors();
    this.folder = doors.dir;
    this.pid = doors.pid ?? 0;
  }

  /** The moment in which it was really struck, as the disk tells it. */
  async at({ moment, insideMs, awayMs }: FormatPoint): Promise<{ readonly planId: string; readonly struck: string }> {
    const { nodeId, units } = this.options;
    this.leaveLitter();
    const obstacle = join(this.folder, 'units.json.new');
    if (moment === 'emptied') mkdirSync(obstacle);
    const before = this.recorded()?.planId;
    const carved = this.diesWhen(
      (found) => found.planId !== before && (moment === 'carved' ? found.toClear.length === 0 : moment === 'carving'),
    );
    const planId = await this.door.propose({ kind: 'format', nodeId, units: `${units}x64MiB:leveldb`, observeMs: 400 });
    if (moment === 'emptying') {
      await this.reaches(planId, (plan) => plan.state !== 'proposed');
      await pause(insideMs);
    } else if (moment === 'emptied') await this.saysThatItCannot();
    else await eventually('it is struck', () => carved.struck, reachMs, 5);
    await this.cluster.kill(nodeId);
    carved.stop();
    const found = this.recorded();
    const begun = found?.planId !== before;
    const struck = begun ? (found?.toClear.length === 0 ? 'carved' : 'carving') : (await this.door.plan(planId)).step;
    await pause(awayMs);
    if (moment === 'emptied') rmdirSync(obstacle);
    await this.cluster.start(nodeId);
    return { planId, struck };
  }

  /** What is not as the plan wants it, as texts. */
  async wrong(planId: string): Promise<string[]> {
    const { nodeId, units } = this.options;
    const numbers = Array.from({ length: units }, (_, i) => String(i + 1).padStart(2, '0'));
    const wanted = numbers.map((number) => `${nodeId}/u${number} leveldb ${64 * 2 ** 20} free`).join();
    const made = (await this.door.units(nodeId))
      .map(({ unitId, engine, capacityBytes, state }) => [unitId, engine, capacityBytes, state].join(' '))
      .join();
    const recorded = this.recorded();
    const left = readdirSync(join(this.folder, 'units'));
    return [
      ...(made === wanted ? [] : [`its units are ${made}`]),
      ...(recorded?.planId === planId && recorded.units.length === units && recorded.toClear.length === 0
        ? []
        : [`its disk says ${JSON.stringify(recorded)}`]),
      ...(left.length === 0 ? [] : [`its disk still holds ${left.join()}`]),
    ];
  }

  private doors(): ProcessDoors {
    const found = this.cluster.doors.nodes.find(({ name }) => name === this.options.nodeId);
    if (found === undefined) throw new Error(`there is no node ${this.options.nodeId}`);
    return found;
  }

  /** As a death in the middle of an earlier clearing leaves it. */
  private leaveLitter(): void {
    for (let unit = 1; unit <= litter.units; unit++) {
      const folder = join(this.folder, 'units', `u0${unit}`, 'g0.cleared');
      mkdirSync(folder, { recursive: true });
      for (let file = 0; file < litter.files; file++) writeFileSync(join(folder, `${file}.ldb`), '');
    }
  }

  private recorded(): RecordedFormat | undefined {
    try {
      // Its seal stands in a line of its own behind it.
      const [text = ''] = readFileSync(join(this.folder, 'units.json'), 'utf8').split('\n');
      return JSON.parse(text) as RecordedFormat;
    } catch {
      return undefined;
    }
  }

  /** Kills the process as soon as its folder says so: no way through another process is quick enough. */
  private diesWhen(isThere: (found: RecordedFormat) => boolean): { struck: boolean; stop: () => void } {
    const watcher = watch(this.folder, () => {
      const found = this.recorded();
      if (strike.struck || found === undefined || !isThere(found)) return;
      strike.struck = true;
      process.kill(this.pid, 'SIGKILL');
    });
    const strike = { struck: false, stop: () => watcher.close() };
    return strike;
  }

  private reaches(planId: string, isThere: (plan: Plan) => boolean): Promise<boolean> {
    return eventually(`plan ${planId} goes on`, async () => isThere(await this.door.plan(planId)), reachMs, 2);
  }

  private async saysThatItCannot(): Promise<void> {
    const { http } = this.doors();
    await eventually(
      'the node says why it does not carve',
      async () => {
        const answer = await fetch(`${http}/v1/node`, { signal: AbortSignal.timeout(2_000) });
        return String(((await answer.json()) as { problem: string | null }).problem).includes('units.json');
      },
      reachMs,
      20,
    );
  }
}
