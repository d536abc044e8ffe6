/** What a page shows in TypeScript, as one program: imports first, wherever they stand; `portal` in the place of the usual door. */
export function sampleOf(page: string, portal: string): string {
  const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((match) => match[1] as string);
  const lines = blocks.join('\n').replaceAll('127.0.0.1:7379', portal).split('\n');
  const isImport = (line: string): boolean => line.startsWith('import ');
  return [...lines.filter(isImport), ...lines.filter((line) => !isImport(line))].join('\n');
}
