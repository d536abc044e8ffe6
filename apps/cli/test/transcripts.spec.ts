import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakePortal } from './fake-portal';
import { runLevee } from './fake-terminal';

/**
 * Each file is a session with a portal of its own: `$ levee …` (with `< text` as standard input), then what appears:
 * `| ` standard output, `! ` standard error, `= ` exit code when it is not 0.
 * `GOLDEN=write npx jest apps/cli` writes the answers anew: commit only what you understand.
 */
const folder = join(__dirname, 'transcripts');

/** Words as a shell splits them: by spaces, except inside single quotes. */
const words = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');

const prefixed = (mark: string, text: string): string[] =>
  text === ''
    ? []
    : text
        .replace(/\n$/, '')
        .split('\n')
        .map((line) => `${mark} ${line}`.trimEnd());

async function replay(transcript: string): Promise<string> {
  const portal = await FakePortal.open();
  try {
    const out: string[] = [];
    for (const line of transcript.split('\n').filter((each) => /^[$#]/.test(each) || each === '')) {
      if (!line.startsWith('$ levee')) {
        out.push(line);
        continue;
      }
      const [command = '', stdin] = line.slice('$ levee'.length).split(' < ');
      const ran = await runLevee(words(command), {
        env: { LEVEE_URL: portal.url },
        ...(stdin === undefined ? {} : { stdin: Buffer.from(stdin) }),
      });
      const visible = (text: string): string => text.replaceAll(portal.url, 'http://portal');
      out.push(line, ...prefixed('|', visible(ran.stdout.toString())), ...prefixed('!', visible(ran.stderr)));
      if (ran.code !== 0) out.push(`= ${ran.code}`);
    }
    return out.join('\n');
  } finally {
    await portal.close();
  }
}

describe('sessions at the command line', () => {
  it.each(readdirSync(folder))('%s', async (file) => {
    const path = join(folder, file);
    const expected = readFileSync(path, 'utf8');
    const actual = await replay(expected);
    if (process.env['GOLDEN'] === 'write') writeFileSync(path, actual);
    else expect(actual).toBe(expected);
  });
});
