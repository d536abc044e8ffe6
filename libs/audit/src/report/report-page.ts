import { isoTime } from '@levee/kernel';
import type { AuditReport, Coverage } from './audit-report';

/**
 * The report as one page of HTML that asks for nothing: no script, no font, no picture, no address, and a policy that
 * forbids them. Every text comes from logs, where strangers write too: it is escaped, and stands in elements alone, never in
 * attributes.
 */
export function reportPage(report: AuditReport): string {
  const { verdict, madeAt, software, log, coverage, findings, untold, proofs, doctor, access, accessLeftOut } = report;
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="referrer" content="no-referrer">',
    `<title>Levee audit report</title><style>${style}</style></head><body>`,
    '<h1>Levee audit report</h1>',
    `<p class="${verdictClass(report)}">${text(verdictWords(report))}</p>`,
    facts([
      ['made at', madeAt],
      ['log', log],
      ['made by', `levee ${software}`],
    ]),
    '<h2>What was checked, and what was not</h2>',
    table(['part', 'state', 'what'], coverage.map(coverageRow)),
    `<h2>Findings</h2>`,
    findings.length === 0
      ? `<p>${verdict === 'nothing was found' ? 'None.' : 'None in what was checked.'}</p>`
      : table(
          ['part', 'where', 'what', 'next'],
          findings.map((each) => [cell(each.part), cell(each.where), cell(each.what), code(each.command)]),
        ),
    untold > 0 ? `<p>And ${untold} more, which are counted and not told.</p>` : '',
    ...(proofs === null ? [] : ['<h2>Replicas against the log</h2>', proofTable(proofs)]),
    ...(doctor?.weak === undefined || doctor.weak.length === 0
      ? []
      : [
          '<h2>What is weak</h2>',
          table(
            ['rule', 'what', 'impact'],
            doctor.weak.map(({ rule, finding, impact }) => [cell(rule), cell(finding), cell(impact)]),
          ),
        ]),
    ...(doctor?.acknowledged === undefined || doctor.acknowledged.length === 0
      ? []
      : [
          '<h2>Bad records that people said are dealt with</h2>',
          table(
            ['namespace', 'reason', 'records', 'by', 'at', 'why'],
            doctor.acknowledged.map(({ namespace, reason, count, by, at, why }) =>
              [namespace, reason, String(count), by, at, why].map(cell),
            ),
          ),
        ]),
    ...(access === null
      ? []
      : [
          '<h2>Who asked, deleted, changed rights</h2>',
          accessLeftOut > 0 ? `<p>${accessLeftOut} older ones are left out.</p>` : '',
          table(
            ['at', 'decision', 'who', 'command', 'what', 'refused'],
            access.map(({ submittedAtMs, seq, principal, kind, payload, refused }) =>
              [isoTime(submittedAtMs), String(seq), principal, kind, payload, refused ?? '-'].map(cell),
            ),
          ),
        ]),
    '<p class="foot">Verdicts are about what was checked. Times are those of the log and of the doors that commands came in at, in UTC.</p>',
    '</body></html>',
    '',
  ].join('\n');
}

const style =
  'body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1a1a1a;background:#fff}' +
  'h1{font-size:1.5rem;margin:0 0 .5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}' +
  'table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid #ddd;overflow-wrap:anywhere}' +
  'th{background:#f4f4f4;font-weight:600}code{font:13px ui-monospace,monospace}dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:1rem 0}dt{color:#555}dd{margin:0;overflow-wrap:anywhere}' +
  '.bad,.part,.well{font-size:1.15rem;font-weight:600;padding:.6rem .8rem;border-left:.4rem solid}.bad{background:#fdecea;border-color:#b3261e}.part{background:#fff6e0;border-color:#a86a00}.well{background:#e9f5ec;border-color:#2e7d32}' +
  '.foot{color:#555;margin-top:2rem}@media print{body{margin:0}}';

const verdictClass = ({ verdict }: AuditReport): string =>
  ({ findings: 'bad', 'not everything could be checked': 'part', 'nothing was found': 'well' })[verdict];

function verdictWords({ verdict, findings, untold, coverage }: AuditReport): string {
  const left = coverage.filter(({ state }) => state !== 'checked').length;
  const rest = left === 0 ? '' : ` ${left} parts were not checked, or could not be: see below.`;
  const count = findings.length + untold;
  if (verdict === 'findings') return `${count} finding${count === 1 ? '' : 's'}.${rest}`;
  return verdict === 'nothing was found'
    ? `Nothing was found in what was checked.${rest}`
    : `Not everything could be checked.${rest}`;
}

const coverageRow = ({ part, state, what }: Coverage): string[] => [cell(part), cell(state), cell(what)];

function proofTable(proofs: NonNullable<AuditReport['proofs']>): string {
  const rows = proofs.map(({ chunkId, verdict, provedAtMs, replicasProved, replicas, message }) => [
    cell(chunkId),
    cell(verdict ?? 'never compared'),
    cell(provedAtMs === null ? '-' : isoTime(provedAtMs)),
    cell(`${replicasProved} of ${replicas}`),
    cell(message),
  ]);
  return table(['chunk', 'last verdict', 'all equal at', 'replicas', 'what'], rows);
}

const facts = (pairs: readonly (readonly [string, string])[]): string =>
  `<dl>${pairs.map(([name, value]) => `<dt>${text(name)}</dt><dd>${text(value)}</dd>`).join('')}</dl>`;

/** `rows`: cells that are HTML already. */
function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((each) => `<th>${text(each)}</th>`).join('');
  return `<table><thead><tr>${head}</tr></thead><tbody>\n${rows.map((cells) => `<tr>${cells.join('')}</tr>`).join('\n')}\n</tbody></table>`;
}

const cell = (value: string): string => `<td>${text(value)}</td>`;
const code = (value: string): string => (value === '' ? '<td></td>' : `<td><code>${text(value)}</code></td>`);

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** As text of an element; what would steer a terminal, turn the direction of writing or be no character is shown by its number. */
function text(value: string): string {
  return value
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (char) => {
      return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
    })
    .replace(/[&<>"']/g, (char) => entities[char] ?? '');
}
