import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const src = join(__dirname, '..', 'src');
/** With them come Nest, kafkajs and LevelDB: more than half a second of each command. */
const heavy = /^@levee\/(service-kit|journal|replication|log-kafka|log-embedded|chunk-store)$/;

/** What a file imports at once. Types cost nothing, and `require` is what loads later. */
const importsOf = (file: string): string[] =>
  [...readFileSync(join(src, `${file}.ts`), 'utf8').matchAll(/^import (?!type )[^;]*?from '([^']+)';/gm)].map(
    (match) => match[1] as string,
  );

it('a command loads only what it needs: nothing of a process, unless it looks at a log itself', () => {
  const waiting = ['main'];
  const seen = new Set<string>();
  const found: string[] = [];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    for (const one of importsOf(file)) {
      if (heavy.test(one)) found.push(`${file} imports ${one}`);
      if (one.startsWith('./')) waiting.push(one.slice(2));
    }
  }
  expect(found).toEqual([]);
  expect(seen).toContain('doctor-command');
  expect(importsOf('direct-doctor').filter((one) => heavy.test(one))).not.toEqual([]);
});
