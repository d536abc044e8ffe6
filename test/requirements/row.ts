/** A test that asserts what a requirement is seen by: its file, and its title as it stands there. */
export interface HeldBy {
  readonly file: string;
  readonly title: string;
}

export interface Row {
  /** Of `docs/requirements.md`, such as `S36`; several where one test shows them together. */
  readonly ids: string;
  readonly requirement: string;
  /** How a newcomer sees that it works. */
  readonly seenBy: string;
  readonly tests: readonly HeldBy[];
  /** Where it is seen by figures, which no test on a busy machine can assert. */
  readonly figures?: Figures;
  /** What no test shows yet, and the issue that asks for it. */
  readonly lacks?: { readonly what: string; readonly issue: number };
}

/** A part of `npm run bench` that asserts them, and the heading of docs/performance.md that tells them. */
export interface Figures {
  readonly bench: string;
  readonly heading: string;
  /** Goals that are missed, as that page says it too. */
  readonly misses?: string;
}

export const e2e = (file: string, title: string): HeldBy => ({ file: `test/e2e/${file}.test.ts`, title });
export const suite = (file: string, title: string): HeldBy => ({ file: `test/${file}.test.ts`, title });
/** `data-node/test/copy` is libs/data-node/test/copy.spec.ts. */
export const lib = (path: string, title: string): HeldBy => ({ file: `libs/${path}.spec.ts`, title });
export const app = (path: string, title: string): HeldBy => ({ file: `apps/${path}.spec.ts`, title });
