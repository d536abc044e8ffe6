/** Fields of commands by the option that people set them with, where that is not their name in lower case with dashes. */
const optionOf: Readonly<Record<string, string>> = {
  chunkId: '--chunk',
  chunkIds: '--chunk',
  chunkCapacityBytes: '--chunk-capacity',
  forMs: '--for',
  historyWindowMs: '--history-window',
  maxLagRecords: '--max-lag',
  maxStalenessMs: '--max-staleness',
  maxTtlMs: '--max-ttl',
  nodeId: '<node>',
  observeMs: '--observe',
  unitId: '--unit',
};

/** `CreateNamespace.replicas is 0` as `--replicas is 0`: the command line knows no fields. */
export function inOptions(message: string): string {
  return message.replace(/\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\.([a-z]\w*)/g, (_, field: string) => optionFor(field));
}

function optionFor(field: string): string {
  return optionOf[field] ?? `--${field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
