import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { deadLinksOf } from './support/page-links';
import { gitObject, translationProblems } from './support/translation';

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
  it('types what README.md types, and is of the README.md that is there', () => {
    expect(translationProblems(textOf('README.md'), textOf('README.zh-CN.md'))).toEqual([]);
    expect(textOf('README.md')).toContain('](README.zh-CN.md)');
  });
});

describe('a translation', () => {
  const original = '# Levee\n```sh\nnpm start   # runs it\n```\n';
  const of = (named: string, text = original): string => `${text}\n翻译自 README.md（git 对象 ${named}）\n`;
  const now = gitObject(original);

  it('may have other words, behind commands too', () => {
    const text = original.replace('# runs it', '# 运行').replace('# Levee', '# Levee 中文');
    expect(translationProblems(original, of(now, text))).toEqual([]);
  });

  it('types the same', () => {
    expect(translationProblems(original, of(now, original.replace('npm start', 'npm run')))).toEqual([
      expect.stringContaining('block 1 is not that of the original'),
    ]);
    expect(translationProblems(original, of(now, '# Levee'))).toEqual([expect.stringContaining('it is missing')]);
  });

  it('names the text that it is of, as git does', () => {
    // What `git hash-object` says of a file with these six bytes.
    expect(gitObject('hello\n')).toBe('ce013625030b');
    expect(translationProblems(original, original)).toEqual(['it does not say which text it is of']);
    expect(translationProblems(`${original}One line more.\n`, of(now))).toEqual([
      expect.stringContaining(`it is of ${now}`),
    ]);
  });
});
