import { Metrics, metricsOf, type HttpApp, type MetricPart } from '@levee/service-kit';

/** What a process publishes and the list has not, and the other way round, as it stands after a scrape. */
export async function metricProblems({ app }: Pick<HttpApp, 'app'>, part: MetricPart): Promise<string[]> {
  const metrics = app.get(Metrics);
  const text = await metrics.text();
  const told = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  const always = metricsOf(part).filter(({ only }) => only === undefined);
  return [
    ...[...metrics.unlisted].map((number) => `${number} is not in the list of metrics`),
    ...always.filter(({ name }) => !told.has(name)).map(({ name }) => `${name} is in the list, and not told`),
  ];
}
