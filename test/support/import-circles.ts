import { join } from 'node:path';
import { type SourceFile, withoutComments } from './source-text';

/** By path, the paths of the files that it imports. */
export type ImportGraph = ReadonlyMap<string, readonly string[]>;

const imports = (text: string): RegExpMatchArray[] => [
  ...withoutComments(text).matchAll(/(?:import|export) (type )?(?:\{([^}]*)\}|[^'{}]*) ?from '([^']+)'/g),
];

/** What is imported, for its types or more. */
export const namedBy = (text: string): string[] => imports(text).map((match) => match[3] as string);

/** What is imported for more than its types. */
export const loadedBy = (text: string): string[] =>
  imports(text)
    .filter(([, onlyTypes, names]) => {
      const all = names?.split(',').filter((name) => name.trim() !== '');
      return onlyTypes === undefined && (all === undefined || all.some((name) => !name.trim().startsWith('type ')));
    })
    .map((match) => match[3] as string);

/** Imports by relative paths, among these files. */
export function importGraph(files: readonly SourceFile[], importsOf: (text: string) => readonly string[]): ImportGraph {
  const known = new Set(files.map(({ path }) => path));
  return new Map(
    files.map(({ path, text }) => [
      path,
      importsOf(text)
        .filter((imported) => imported.startsWith('.'))
        .flatMap((imported) => {
          const base = join(path, '..', imported);
          return [`${base}.ts`, join(base, 'index.ts')].filter((each) => known.has(each));
        }),
    ]),
  );
}

/** Circles as `a.ts -> b.ts -> a.ts`: none if there is none, else not necessarily all. */
export function circlesIn(graph: ImportGraph): string[] {
  const state = new Map<string, 'under way' | 'done'>();
  const circles: string[] = [];
  const visit = (path: string, way: readonly string[]): void => {
    if (state.get(path) === 'under way') circles.push([...way.slice(way.indexOf(path)), path].join(' -> '));
    if (state.has(path)) return;
    state.set(path, 'under way');
    for (const next of graph.get(path) ?? []) visit(next, [...way, path]);
    state.set(path, 'done');
  };
  for (const path of graph.keys()) visit(path, []);
  return circles;
}
