// What a namespace held before it was rewound has a name of its own.

const asideWord = '.before-rewind-';

/** Under this name a namespace is kept that was rewound for the `n`th time; before, the fork is filled under it. */
export const nameAside = (name: string, n: number): string => `${name}${asideWord}${n}`;

export const isAsideOf = (aside: string, name: string): boolean => nameBeside(aside) === name;

/** The name that was rewound, where `name` is that of what it held before; `undefined` of all other names. */
export function nameBeside(name: string): string | undefined {
  const at = name.lastIndexOf(asideWord);
  return at > 0 && /^[1-9]\d*$/.test(name.slice(at + asideWord.length)) ? name.slice(0, at) : undefined;
}

/** Whether a query of names says that it means what namespaces held before they were rewound. */
export const meansAsides = (query: string): boolean => query.includes(asideWord);
