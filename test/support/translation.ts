import { createHash } from 'node:crypto';

/** Of a translation: the text that it says, by the name that git gives to it. */
const stamp = /翻译自 README\.md（git 对象 ([0-9a-f]{12})）/;

/**
 * What is wrong with a translation, by what it shows as typed and by its stamp; the words are for people to compare. The
 * stamp names the text and not a commit: a commit has another name in every history that is written anew.
 */
export function translationProblems(original: string, translation: string): string[] {
  const [wanted, shown] = [blocksOf(original), blocksOf(translation)];
  const other = Array.from({ length: Math.max(wanted.length, shown.length) }, (_, at) => at).filter(
    (at) => wanted[at] !== shown[at],
  );
  const problems = other.map((at) => `block ${at + 1} is not that of the original: ${shown[at] ?? 'it is missing'}`);
  const [, named] = stamp.exec(translation) ?? [];
  if (named === undefined) return [...problems, 'it does not say which text it is of'];
  const now = gitObject(original);
  if (named === now) return problems;
  return [...problems, `it is of ${named} and README.md is ${now} now: what changed has to be translated`];
}

/** The name by which git knows a text: `git log --find-object=<name>` tells its commit. */
export function gitObject(text: string): string {
  const bytes = Buffer.from(text);
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex').slice(0, 12);
}

/** Blocks of a page that show what is typed or printed, without the words behind commands. */
const blocksOf = (text: string): string[] =>
  [...text.matchAll(/^```[^]*?^```$/gm)].map(([block]) => block.replace(/ +# .*$/gm, ''));
