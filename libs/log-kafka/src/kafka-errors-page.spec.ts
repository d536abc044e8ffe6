import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { produceVerdict, type ProduceVerdict } from './produce-verdict';

const page = readFileSync(join(__dirname, '../../../docs/kafka-errors.md'), 'utf8');
const rows = page
  .split('\n')
  .filter((line) => /^\| -?\d+ \|/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map((cells) => ({ code: Number(cells[1]), when: cells[4] as string, verdict: cells[5] as string }));
/** Kafka has no codes beyond these yet. */
const codes = Array.from({ length: 160 }, (_, n) => n - 1);

const again = 'again; from the second failure on look for another leader';

function inWords(verdict: ProduceVerdict): string {
  switch (verdict.kind) {
    case 'stored':
      return 'stored';
    case 'again':
      return `proof, ${again}`;
    case 'perhaps':
      return `unknown, ${verdict.newLeader ? 'look for another leader' : again}`;
    case 'lost':
      return 'lost';
    case 'refused':
      return `proof, refused as ${verdict.code}${verdict.alone ? '; each call alone' : ''}`;
  }
}

function verdictOf(code: number): string {
  const plain = inWords(produceVerdict(code, { fencing: false }));
  const fenced = inWords(produceVerdict(code, { fencing: true }));
  return plain === fenced ? plain : `${plain}; for a fenced writer ${fenced}`;
}

describe('docs/kafka-errors.md', () => {
  it('says of each code that it lists what the code makes of it', () => {
    expect(rows.length).toBeGreaterThan(20);
    expect(rows.map(({ code, verdict }) => [code, verdict])).toEqual(rows.map(({ code }) => [code, verdictOf(code)]));
  });

  it('lists every code that means anything else than the rule for all others', () => {
    const listed = new Set(rows.map(({ code }) => code));
    const others = codes.filter((code) => !listed.has(code)).map(verdictOf);
    expect(new Set(others)).toEqual(new Set(['unknown, look for another leader']));
  });

  it('I20: proof arises nowhere but before the append', () => {
    const proofs = rows.filter(({ verdict }) => verdict.includes('proof'));
    expect(proofs.filter(({ when }) => when !== 'before')).toEqual([]);
    const plain = codes.filter((code) => /^proof/.test(inWords(produceVerdict(code, { fencing: false }))));
    expect(plain).toEqual([2, 10, 17, 18, 19, 29, 31, 32, 87]);
  });
});
