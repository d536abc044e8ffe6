/** Collects rows `work | measured | peer | ratio | reach | verdict` and prints them as a table. */
export class Report {
  rows = [];

  /** @param {{work: string, measured: string, peer?: string, ratio?: string, reach: string, ok: boolean}} row */
  add(row) {
    this.rows.push(row);
    console.log(
      `${row.ok ? 'reached ' : 'MISSED  '} ${row.work}: ${row.measured}${row.peer ? ` against ${row.peer}` : ''}${row.ratio ? ` = ${row.ratio}` : ''} (reach ${row.reach})`,
    );
  }

  print() {
    console.log('\n| work | measured | peer | ratio | reach | reached |\n|---|---|---|---|---|---|');
    for (const row of this.rows)
      console.log(
        `| ${row.work} | ${row.measured} | ${row.peer ?? ''} | ${row.ratio ?? ''} | ${row.reach} | ${row.ok ? 'yes' : 'no'} |`,
      );
    console.log(
      `\n${this.rows.filter((row) => row.ok).length} passed, ${this.rows.filter((row) => !row.ok).length} failed`,
    );
    return this.rows.every((row) => row.ok);
  }
}

export const perSecond = (n) => (n >= 1e6 ? `${(n / 1e6).toFixed(2)}M/s` : `${(n / 1e3).toFixed(1)}k/s`);
