import { parentPort, workerData } from 'node:worker_threads';
import { ClusterState, evolve, simulatePlan } from '@levee/cluster';
import type { DryRunOrder } from './dry-runs';

/** Entry of a dry run's thread: plays one plan and ends. */
const { events, payload, nowMs } = workerData as DryRunOrder;
const state = new ClusterState();
for (const event of events) evolve(state, event);
parentPort?.postMessage(simulatePlan(state, payload, nowMs));
