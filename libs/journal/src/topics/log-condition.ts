import type { LogCondition } from '@levee/log';

/** Something is not as it should be: what, what follows from it, and what to type. */
export interface Trouble {
  /** What it is about: a topic, node, replica, namespace. */
  readonly subject: string;
  readonly finding: string;
  readonly impact: string;
  /** Mends it, or shows more. */
  readonly command: string;
}

export const logConditionLimits = {
  /** A foreign transaction that last wrote longer ago than this is left open. */
  openTransactionMs: 10_000,
  /** What a foreign producer may ask for at most: for so long readers wait for a transaction that it left open. */
  transactionMaxTimeoutMs: 900_000,
} as const;

/** Settings of brokers that let acknowledged records be lost, or readers wait. */
export function brokerSettings(condition: LogCondition | undefined, brokers: string): Trouble[] {
  return (condition?.brokers ?? []).flatMap(({ nodeId, settings }) => {
    const alter = (setting: string): string =>
      `kafka-configs.sh --bootstrap-server ${brokers} --alter --entity-type brokers --entity-name ${nodeId} --add-config ${setting}`;
    const found: Trouble[] = [];
    const timeoutMs = Number(settings['transaction.max.timeout.ms'] ?? 0);
    const most = logConditionLimits.transactionMaxTimeoutMs;
    if (timeoutMs > most)
      found.push({
        subject: `broker ${nodeId}`,
        finding: `transaction.max.timeout.ms of broker ${nodeId} is ${timeoutMs}, it should be at most ${most}`,
        impact: 'a producer that leaves a transaction open may keep readers waiting for so long',
        command: `set transaction.max.timeout.ms=${most} in server.properties of broker ${nodeId} and restart it`,
      });
    if (settings['unclean.leader.election.enable'] === 'true')
      found.push({
        subject: `broker ${nodeId}`,
        finding: `unclean.leader.election.enable of broker ${nodeId} is true, it should be false`,
        impact: 'acknowledged records can be lost when brokers fail',
        command: alter('unclean.leader.election.enable=false'),
      });
    return found;
  });
}

/** Transactions of others that were left open: what comes behind them can be read by nobody. */
export function openTransactions(
  condition: LogCondition | undefined,
  { brokers, nowMs }: { readonly brokers: string; readonly nowMs: number },
): Trouble[] {
  return (condition?.openTransactions ?? []).flatMap((open) => {
    const sinceMs = nowMs - open.lastAppendMs;
    if (sinceMs < logConditionLimits.openTransactionMs) return [];
    const { topic, partition, producerId, producerEpoch, transactionalId, startOffset, withheldTo } = open;
    const who = transactionalId === undefined ? '' : ` (transactional id '${transactionalId}')`;
    return [
      {
        subject: `${topic}/${partition}`,
        finding: `producer ${producerId} epoch ${producerEpoch}${who} left a transaction open on ${topic} partition ${partition}: it last wrote ${Math.round(sinceMs / 1000)} s ago`,
        impact: `the records from offset ${startOffset} to ${withheldTo} can be read by nobody: replicas grow old, session and strong reads there fail as LVBEHIND`,
        command: `kafka-transactions.sh --bootstrap-server ${brokers} abort --topic ${topic} --partition ${partition} --start-offset ${startOffset}`,
      },
    ];
  });
}
