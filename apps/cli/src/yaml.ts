/** Block-style YAML 1.2 of JSON values; strings are quoted, as in JSON, wherever they could be read as anything else. */
export function toYaml(value: unknown): string {
  return `${lines(value).join('\n')}\n`;
}

function lines(value: unknown): string[] {
  if (Array.isArray(value) && value.length > 0) return value.flatMap((item) => itemLines(item));
  if (isFilledObject(value))
    return Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .flatMap(([name, inner]) => entryLines(name, inner));
  return [scalar(value)];
}

function entryLines(name: string, value: unknown): string[] {
  const key = scalar(name);
  if (!isBlock(value)) return [`${key}: ${scalar(value)}`];
  return [`${key}:`, ...lines(value).map((line) => `  ${line}`)];
}

function itemLines(item: unknown): string[] {
  return lines(item).map((line, i) => (i === 0 ? `- ${line}` : `  ${line}`));
}

function scalar(value: unknown): string {
  if (typeof value === 'string') return isPlain(value) ? value : JSON.stringify(value);
  if (Array.isArray(value)) return '[]';
  if (typeof value === 'object' && value !== null) return '{}';
  return value === undefined ? 'null' : JSON.stringify(value);
}

const isFilledObject = (value: unknown): value is object =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).some((inner) => inner !== undefined);

const isBlock = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : isFilledObject(value));

/** Letters first, then only what has no meaning in YAML; and none of the words that are no strings. */
const isPlain = (text: string): boolean =>
  /^[A-Za-z_/][A-Za-z0-9_./+-]*( [A-Za-z0-9_./+(),-]+)*$/.test(text) &&
  !/^(true|false|yes|no|on|off|y|n|null|inf|nan)$/i.test(text);
