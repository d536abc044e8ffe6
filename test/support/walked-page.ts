/** A fenced block of shell commands in a page, and what they print. */
export interface Step {
  /** The heading it stands below. */
  readonly task: string;
  readonly command: string;
  /** Undefined where the page shows no output: then there must be none. */
  readonly output: string | undefined;
  /** `<!-- until WORDS -->` above the block: it is asked again until the words are there. */
  readonly until: string | undefined;
  /** Where the output stands, or where it would, as offsets of the page. */
  readonly from: number;
  readonly to: number;
}

const block = /(?:<!-- until (?<until>.*?) -->\n)?```(?<kind>\w*)\n(?<text>[^]*?)```\n/g;

/**
 * The steps of a page, in their order. An `sh` block is a command; a `text` block right below it is its output. Any other
 * block would be something that nobody runs, and is refused; so is a command in the running text that stands in no block.
 */
export function stepsOf(page: string): Step[] {
  const steps: Step[] = [];
  let open: { -readonly [K in keyof Step]: Step[K] } | undefined;
  for (const found of page.matchAll(block)) {
    const { until, kind, text = '' } = found.groups as Record<string, string | undefined>;
    const end = found.index + found[0].length;
    if (kind === 'sh') {
      const task = [...page.slice(0, found.index).matchAll(/^## (.*)$/gm)].at(-1)?.[1] ?? '';
      open = { task, command: text.trimEnd(), output: undefined, until, from: end, to: end };
      steps.push(open);
    } else if (kind === 'text' && open !== undefined && page.slice(open.to, found.index).trim() === '') {
      Object.assign(open, { output: text, to: end });
      open = undefined;
    } else throw new Error(`a block that nobody runs: ${found[0].slice(0, 80)}`);
  }
  const commands = steps.map(({ command }) => command).join('\n');
  const prose = page.replace(block, '');
  for (const [, words = ''] of prose.matchAll(/`((?:levee|redis-cli|curl|npm|node|docker) [^`]*)`/g))
    if (words !== 'npm ci' && !commands.includes(words)) throw new Error(`a command that nobody runs: ${words}`);
  return steps;
}

/** The page with these outputs, one for each step. */
export function withOutputs(page: string, steps: readonly Step[], outputs: readonly string[]): string {
  let written = page;
  for (const [at, { from, to }] of [...steps.entries()].reverse()) {
    const output = outputs[at] ?? '';
    const text = output === '' ? '' : `\n\`\`\`text\n${output.trimEnd()}\n\`\`\`\n`;
    written = written.slice(0, from) + text + written.slice(to);
  }
  return written;
}
