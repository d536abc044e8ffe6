import { spawnSync } from 'node:child_process';
import { realpathSync } from 'node:fs';

/** Of a translation: the commit whose text it says. */
const stamp = /翻译自 commit ([0-9a-f]{7,40}) 的 README\.md/;

/** What is wrong with a translation, by what it shows as typed and by its stamp; the words are for people to compare. */
export function translationProblems(original: string, translation: string, root: string): string[] {
  const [wanted, shown] = [blocksOf(original), blocksOf(translation)];
  const other = Array.from({ length: Math.max(wanted.length, shown.length) }, (_, at) => at).filter(
    (at) => wanted[at] !== shown[at],
  );
  const problems = other.map((at) => `block ${at + 1} is not that of the original: ${shown[at] ?? 'it is missing'}`);
  const [, commit] = stamp.exec(translation) ?? [];
  if (commit === undefined) return [...problems, 'it does not say which commit it is of'];
  return isInHistory(commit, root) === false ? [...problems, `${commit} is not in the history`] : problems;
}

/** Blocks of a page that show what is typed or printed, without the words behind commands. */
const blocksOf = (text: string): string[] =>
  [...text.matchAll(/^```[^]*?^```$/gm)].map(([block]) => block.replace(/ +# .*$/gm, ''));

/** Undefined where nobody can know: an exported tree, a shallow clone, no git. */
function isInHistory(commit: string, root: string): boolean | undefined {
  const git = (...args: string[]) => spawnSync('git', ['-C', root, ...args], { encoding: 'utf8', timeout: 20_000 });
  const [top, isShallow] = git('rev-parse', '--show-toplevel', '--is-shallow-repository').stdout?.split('\n') ?? [];
  // A tree that lies in the repository of somebody else.
  if (!top || realpathSync(top) !== realpathSync(root)) return undefined;
  if (git('merge-base', '--is-ancestor', commit, 'HEAD').status === 0) return true;
  return isShallow === 'true' ? undefined : false;
}
