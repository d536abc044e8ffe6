export * from './cluster-view';
export * from './digest-tail';
export * from './ensure-namespace';
export * from './fold/boot';
export { positionOf } from './fold/catch-up';
export * from './fold/entity-table';
export * from './fold/journal-fold';
export { holeIn, holeWords, type JournalHole, readAcross, stretchWords } from './fold/journal-holes';
export {
  checkpointKey,
  claimRecord,
  differences,
  type ProjectedEntity,
  type ProjectedTopic,
  projectionRecords,
  staleEntities,
} from './fold/projection-records';
export * from './fold/witness';
export * from './heartbeats/heartbeat-known';
export * from './heartbeats/heartbeat-loop';
export * from './heartbeats/heartbeat-view';
export * from './heartbeats/writer-word';
export * from './heartbeats/writers-heard';
export * from './maintenance-ends';
export * from './proofs/proof-view';
export * from './record/event-codec';
export * from './record/foreign-record';
export { bridgeKind, isBridge } from './record/journal-bridge';
export * from './record/journal-chain';
export * from './record/journal-link';
export * from './submit';
export * from './topics/binlog';
export * from './topics/control-topics';
export * from './topics/digest-orders';
export * from './topics/examine-topics';
export * from './topics/log-condition';
export * from './topics/quarantine-copies';
export * from './topics/read-topic';
export * from './topics/repair-command';
export * from './topics/source-policy';
export * from './topics/source-sample';
export * from './topics/source-topic';
export * from './topics/topic-policy';
