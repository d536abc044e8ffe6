import { commonMetrics } from './common-metrics';
import { dispatcherMetrics } from './dispatcher-metrics';
import type { ListedMetric, MetricPart } from './listed-metric';
import { masterMetrics } from './master-metrics';
import { nodeMetrics } from './node-metrics';
import { portalMetrics } from './portal-metrics';

/** Every metric of each part, besides those of all parts. docs/metrics.md, rules and dashboards are written from it. */
export const metricsOfParts: Readonly<Record<MetricPart, readonly ListedMetric[]>> = {
  portal: portalMetrics,
  'data-node': nodeMetrics,
  master: masterMetrics,
  dispatcher: dispatcherMetrics,
};

export const metricsOfAll: readonly ListedMetric[] = commonMetrics;

export const metricsOf = (part: MetricPart): readonly ListedMetric[] => [...metricsOfAll, ...metricsOfParts[part]];
