import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const root = join(__dirname, '..', '..');

/** Links of a page, by its path, that lead to no file, or to a heading that is not there. */
export function deadLinksOf(page: string): string[] {
  const prose = withoutBlocks(textOf(page)).replace(/`[^`\n]*`/g, 'code');
  const links = [...prose.matchAll(/\]\(([^()\s]+(?:\([^()]*\)[^()\s]*)?)\)/g)];
  return links
    .map(([, link]) => link as string)
    .filter((link) => !/^(https?|mailto):/.test(link))
    .filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : relative(root, join(root, dirname(page), path));
      if (!existsSync(join(root, target))) return true;
      if (anchor === undefined || statSync(join(root, target)).isDirectory()) return anchor !== undefined;
      return target.endsWith('.md') && !anchorsOf(textOf(target)).has(anchor);
    })
    .map((link) => `${page}: ${link}`);
}

/** As the places where people read pages make them of headings. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of withoutBlocks(text).matchAll(/^#{1,6} +(.*)$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const anchor = plain.replace(/[^\p{L}\p{N}_ -]/gu, '').replaceAll(' ', '-');
    for (let again = 0; ; again++) {
      const own = again === 0 ? anchor : `${anchor}-${again}`;
      if (anchors.has(own)) continue;
      anchors.add(own);
      break;
    }
  }
  return anchors;
}

const textOf = (page: string): string => readFileSync(join(root, page), 'utf8');

/** What is shown as it is typed leads nowhere. */
const withoutBlocks = (text: string): string => text.replace(/^ *```[\s\S]*?^ *```$/gm, '');
