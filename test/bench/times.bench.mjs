/** What timing every request costs: GET and SET through `npm start`, with and without, in turns of one run. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { median, once, rounds, started } from './locked.bench.mjs';
import { scratch } from './processes.mjs';
import { perSecond } from './report.mjs';

const reach = 0.98;

export async function times(report) {
  const dir = scratch('times');
  const doors = {};
  try {
    for (const kind of ['off', 'on'])
      doors[kind] = await started(join(dir, kind), 'open', { LEVEE_REQUEST_TIMES: kind }, {});
    for (const test of ['get', 'set']) {
      const took = { off: [], on: [] };
      for (const kind of ['off', 'on']) once(doors[kind], test);
      for (let round = 0; round < rounds; round++)
        for (const kind of round % 2 === 0 ? ['off', 'on'] : ['on', 'off']) took[kind].push(once(doors[kind], test));
      const rate = (kind) => median(took[kind].map((each) => each.perSecond));
      const ratio = median(took.on.map((each, i) => each.perCpuMs / took.off[i].perCpuMs));
      const elapsed = median(took.on.map((each, i) => each.perSecond / took.off[i].perSecond));
      report.add({
        work: `${test.toUpperCase()}, -c 50, npm start, requests timed`,
        measured: `${perSecond(rate('on'))}, ${elapsed.toFixed(3)} of off by the clock`,
        peer: `LEVEE_REQUEST_TIMES=off ${perSecond(rate('off'))}`,
        ratio: `${ratio.toFixed(3)} by processor time`,
        reach: String(reach),
        ok: Math.max(ratio, elapsed) >= reach,
      });
    }
  } finally {
    for (const { stop } of Object.values(doors)) await stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
