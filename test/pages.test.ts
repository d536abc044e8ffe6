import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deadLinksOf } from './support/page-links';
import { translationProblems } from './support/translation';

const root = join(__dirname, '..');
const textOf = (page: string): string => readFileSync(join(root, page), 'utf8');
const pagesIn = (folder: string): string[] =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));

describe('pages that people read', () => {
  it('no link leads to a file or heading that is not there', () => {
    const pages = ['.', 'docs', 'docs/decisions', 'examples/producers', 'examples/nest-orders'].flatMap(pagesIn);
    expect(pages.length).toBeGreaterThan(80);
    expect(pages.flatMap(deadLinksOf)).toEqual([]);
  });
});

describe('README.zh-CN.md', () => {
  it('types what README.md types, and says of which commit it is', () => {
    expect(translationProblems(textOf('README.md'), textOf('README.zh-CN.md'), root)).toEqual([]);
    expect(textOf('README.md')).toContain('](README.zh-CN.md)');
  });
});

describe('a translation', () => {
  const original = '# Levee\n```sh\nnpm start   # runs it\n```\n';
  let dir: string;
  let commits: string[];
  const git = (where: string, ...args: string[]): string => {
    const who = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@b', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@b' };
    const options = { cwd: where, encoding: 'utf8', env: { PATH: process.env.PATH, ...who } } as const;
    return execFileSync('git', args, options).trim();
  };

  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'translation-'));
    for (const folder of ['whole', 'exported']) mkdirSync(join(dir, folder));
    const whole = join(dir, 'whole');
    git(whole, 'init', '-q');
    const commit = (): string => {
      git(whole, 'commit', '-q', '--allow-empty', '-m', 'one more');
      return git(whole, 'rev-parse', '--short', 'HEAD');
    };
    commits = [commit(), commit()];
    git(dir, 'clone', '-q', '--depth', '1', `file://${whole}`, 'shallow');
  });

  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const of = (commit: string, text = original): string => `${text}\n翻译自 commit ${commit} 的 README.md\n`;
  const problems = (text: string, where: string): string[] => translationProblems(original, text, join(dir, where));

  it('may have other words, behind commands too', () => {
    const text = original.replace('# runs it', '# 运行').replace('# Levee', '# Levee 中文');
    expect(problems(of(commits[0] as string, text), 'whole')).toEqual([]);
  });

  it('types the same', () => {
    expect(problems(of(commits[0] as string, original.replace('npm start', 'npm run')), 'whole')).toEqual([
      expect.stringContaining('block 1 is not that of the original'),
    ]);
    expect(problems(of(commits[0] as string, '# Levee'), 'whole')).toEqual([expect.stringContaining('it is missing')]);
  });

  it('says a commit that is in the history, where there is one', () => {
    expect(problems(original, 'whole')).toEqual(['it does not say which commit it is of']);
    expect(problems(of('0123456'), 'whole')).toEqual(['0123456 is not in the history']);
    expect(problems(of(commits[0] as string), 'shallow')).toEqual([]);
    expect(problems(of(commits[0] as string), 'exported')).toEqual([]);
  });
});
