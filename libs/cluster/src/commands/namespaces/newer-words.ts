import { featureLevels, type NamespaceState } from '@levee/events';

/** Of a namespace, what the first version of `NamespaceState` cannot always say. */
export type Newer = Pick<
  NamespaceState,
  | 'multi'
  | 'flush'
  | 'recordFormat'
  | 'hashAlgorithm'
  | 'sourceTopic'
  | 'writable'
  | 'expireWithRetention'
  | 'frozenBy'
  | 'forkedFrom'
  | 'bornAs'
  | 'acknowledgements'
>;

interface NewerWord {
  readonly field: keyof Newer;
  /** The first version of `NamespaceState` that can say it, and the feature level that reads that. */
  readonly version: 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;
  readonly level: number;
  /** Of a value that earlier versions cannot say. */
  readonly isNewer: (namespace: Newer) => boolean;
}

const { doorKnobs, recordFormats, boundNamespaces, frozenNamespaces, forkedNamespaces, swappedNamespaces } =
  featureLevels;
const newerWords: readonly NewerWord[] = [
  { field: 'multi', version: 2, level: doorKnobs, isNewer: ({ multi }) => multi !== 'refuse' },
  { field: 'flush', version: 2, level: doorKnobs, isNewer: ({ flush }) => flush !== 'refuse' },
  { field: 'recordFormat', version: 3, level: recordFormats, isNewer: ({ recordFormat }) => recordFormat !== 'put' },
  {
    field: 'hashAlgorithm',
    version: 3,
    level: recordFormats,
    isNewer: ({ hashAlgorithm }) => isNewHash(hashAlgorithm),
  },
  { field: 'sourceTopic', version: 4, level: boundNamespaces, isNewer: ({ sourceTopic }) => sourceTopic !== null },
  { field: 'writable', version: 4, level: boundNamespaces, isNewer: ({ writable }) => !writable },
  { field: 'frozenBy', version: 5, level: frozenNamespaces, isNewer: ({ frozenBy }) => frozenBy !== null },
  { field: 'forkedFrom', version: 6, level: forkedNamespaces, isNewer: ({ forkedFrom }) => forkedFrom !== null },
  { field: 'bornAs', version: 7, level: swappedNamespaces, isNewer: ({ bornAs }) => bornAs !== null },
  {
    field: 'acknowledgements',
    version: 8,
    level: featureLevels.acknowledgedFindings,
    isNewer: ({ acknowledgements }) => acknowledgements.length > 0,
  },
  // Earlier versions have the words, and processes that do not act by them.
  {
    field: 'expireWithRetention',
    version: 9,
    level: featureLevels.retention,
    isNewer: ({ expireWithRetention }) => expireWithRetention,
  },
  {
    field: 'writable',
    version: 9,
    level: featureLevels.retention,
    isNewer: ({ sourceTopic, writable }) => sourceTopic !== null && writable,
  },
];

function isNewHash(algorithm: unknown): boolean {
  return algorithm === 'crc32' || algorithm === 'fnv1a';
}

/** The oldest version of `NamespaceState` that can say this: processes that were not upgraded yet go on reading it. */
export function namespaceVersion(namespace: Newer): 1 | NewerWord['version'] {
  let version: 1 | NewerWord['version'] = 1;
  for (const word of newerWords) if (word.version > version && word.isNewer(namespace)) ({ version } = word);
  return version;
}

/** Whether a payload may ask for what only a newer version can say. */
export function asksForNewer(payload: Readonly<Record<string, unknown>>): boolean {
  return (
    ['multi', 'flush', 'recordFormat', 'sourceTopic', 'forkedFrom'].some((knob) => Object.hasOwn(payload, knob)) ||
    isNewHash(payload['hashAlgorithm'])
  );
}

/** Of the fields that change, the one whose value needs the newest version. */
export function newerWord(namespace: Newer, isChanged: (field: keyof Newer) => boolean): NewerWord | undefined {
  return newerWords.findLast(({ field, isNewer }) => isNewer(namespace) && isChanged(field));
}
