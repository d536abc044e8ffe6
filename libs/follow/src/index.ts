export * from './apply-pace';
export { binlogLossOf } from './binlog-origin';
export * from './control-records';
export * from './first-batch';
export * from './follow-limits';
export * from './log-clock';
export { type AcceptedCut, cutOf, type LogCut, type LogOf, lossBehind, sameCut } from './log-cut';
export * from './partition-feed';
