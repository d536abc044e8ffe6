import type { PlanState } from '@levee/events';
import { usageFailure } from './exit';
import type { Row } from './output';

type Kind = PlanState['kind'];

/** What `levee plan propose` may be told; which of it a kind takes is in `optionsOf`. */
export interface ProposalOptions {
  readonly chunk?: string[];
  readonly from?: string;
  readonly to?: string;
  readonly unit?: string;
  readonly engine?: string;
  readonly at?: number[];
  readonly parts?: number;
  readonly namespace?: string;
  readonly chunks?: number;
  readonly node?: string;
  readonly units?: string;
  readonly observe?: number;
  readonly maxLag?: number;
  readonly hold?: boolean;
  readonly dryRun?: boolean;
  readonly watch?: boolean;
}

type Named = Exclude<keyof ProposalOptions, 'observe' | 'maxLag' | 'hold' | 'dryRun' | 'watch'>;

const named: readonly Named[] = [
  ...(['chunk', 'from', 'to', 'unit', 'engine', 'at', 'parts'] as const),
  ...(['namespace', 'chunks', 'node', 'units'] as const),
];

/** Each kind by what must be said of it, and what may. */
const optionsOf: Readonly<Record<Kind, { readonly needs: readonly Named[]; readonly takes?: readonly Named[] }>> = {
  move: { needs: ['chunk', 'from'], takes: ['to', 'unit', 'engine'] },
  reReplicate: { needs: ['chunk'], takes: ['to'] },
  promote: { needs: ['chunk', 'to'] },
  split: { needs: ['chunk'], takes: ['at', 'parts'] },
  merge: { needs: ['chunk'] },
  shift: { needs: ['chunk', 'at'] },
  resize: { needs: ['namespace', 'chunks'] },
  drain: { needs: ['node'] },
  format: { needs: ['node', 'units'] },
  rebalance: { needs: [], takes: ['namespace'] },
};

/** Chunks that a kind is about, where it is not one. */
const several: Partial<Record<Kind, { readonly least: number; readonly most: number }>> = {
  merge: { least: 2, most: Infinity },
  shift: { least: 2, most: 2 },
};

/** The payload of a proposal. Wrong options are wrong usage, in the words of the command line. */
export function proposalOf(kind: Kind, options: ProposalOptions): Row {
  const { needs, takes = [] } = optionsOf[kind];
  const spoken = [...needs.map((one) => `--${one}`), ...takes.map((one) => `[--${one}]`)].join(' ');
  const wanted = `levee plan propose ${kind}${spoken === '' ? '' : ` ${spoken}`}`;
  const absent = needs.find((one) => options[one] === undefined);
  if (absent !== undefined) throw usageFailure(`a ${kind} needs --${absent}: ${wanted}`);
  const foreign = named.find((one) => options[one] !== undefined && !needs.includes(one) && !takes.includes(one));
  if (foreign !== undefined) throw usageFailure(`a ${kind} takes no --${foreign}: ${wanted}`);
  const { chunk = [], at, node, unit, from, to, engine, parts, namespace, chunks, units } = options;
  const { least, most } = several[kind] ?? { least: chunk.length === 0 ? 0 : 1, most: 1 };
  if (chunk.length > most) throw usageFailure(`a ${kind} takes ${counted(most)}, there are ${chunk.length}`);
  if (chunk.length < least) throw usageFailure(`a ${kind} needs ${counted(least)}, neighbours: repeat the option`);
  return {
    kind,
    ...(several[kind] === undefined ? { chunkId: chunk[0] } : { chunkIds: chunk }),
    from,
    to,
    unitId: unit,
    engine,
    at: kind === 'shift' ? at?.[0] : at,
    parts,
    namespace,
    chunks,
    nodeId: node,
    units,
    ...mannerOf(options),
  };
}

export function mannerOf({ observe, maxLag, hold }: ProposalOptions): Row {
  return { observeMs: observe, maxLagRecords: maxLag, ...(hold === true ? { hold } : {}) };
}

const counted = (chunks: number): string => (chunks === 1 ? 'one --chunk' : `${chunks} --chunk`);
