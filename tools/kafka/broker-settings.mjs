// server.properties and log4j2.properties of one node of the local Kafka.

/** Where clients look for a Kafka, if nobody tells them; the local one takes any other when it is taken. */
export const brokerPort = 9092;

/** Three nodes hold elections: these make kill -9 of one cost about a second instead of ten. */
const fastFailover = {
  'broker.session.timeout.ms': 1000,
  'broker.heartbeat.interval.ms': 200,
  'controller.quorum.fetch.timeout.ms': 600,
  'controller.quorum.election.timeout.ms': 300,
  'controller.quorum.election.backoff.max.ms': 300,
  'replica.fetch.backoff.ms': 50,
  'replica.lag.time.max.ms': 1500,
};

/** A single node has nobody to fail over to: a short session would only punish a busy machine. */
const singleNode = {
  'broker.session.timeout.ms': 4000,
  'broker.heartbeat.interval.ms': 500,
};

/**
 * `nodes`: [{id, host, port, controllerPort, behind: [{port, advertised}]}]: one without `port` is no broker, one without
 * `controllerPort` no controller. `between`: {port, advertised} for other brokers alone, and `controllerTold` the
 * `host:port` that a controller is called by. `settings` override everything, so that SASL and TLS can be passed through.
 */
export function serverProperties(node, nodes, folder, settings) {
  const brokers = nodes.filter(({ port }) => port !== undefined);
  const replicas = Math.min(3, brokers.length);
  const minInSync = brokers.length >= 3 ? 2 : 1;
  const isBroker = node.port !== undefined;
  const isController = node.controllerPort !== undefined;
  const own = (port) => `127.0.0.1:${port}`;
  const ofClients = (port) => (node.host.includes(':') ? `[${node.host}]:${port}` : `${node.host}:${port}`);
  const controllerOf = (n) => n.controllerTold ?? own(n.controllerPort);
  const listeners = [];
  if (isBroker) {
    listeners.push({ name: 'PLAINTEXT', at: ofClients(node.port), told: node.advertised });
    if (node.between) listeners.push({ name: 'BETWEEN', at: own(node.between.port), told: node.between.advertised });
    for (const [at, { port, advertised }] of node.behind.entries())
      listeners.push({ name: `BEHIND${at}`, at: own(port), told: advertised });
  }
  if (isController)
    listeners.push({ name: 'CONTROLLER', at: own(node.controllerPort), told: node.controllerTold, control: true });
  const joined = (format) => listeners.map(format).filter(Boolean).join(',');
  const protocols = new Set([...listeners.map(({ name }) => name), 'PLAINTEXT', 'CONTROLLER']);
  return {
    'process.roles': [isBroker && 'broker', isController && 'controller'].filter(Boolean).join(','),
    'node.id': node.id,
    'controller.quorum.voters': nodes
      .filter(({ controllerPort }) => controllerPort !== undefined)
      .map((n) => `${n.id}@${controllerOf(n)}`)
      .join(','),
    listeners: joined(({ name, at }) => `${name}://${at}`),
    'advertised.listeners': joined(({ name, at, told, control }) =>
      control && told === undefined ? undefined : `${name}://${told ?? at}`,
    ),
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': [...protocols].map((name) => `${name}:PLAINTEXT`).join(','),
    ...(isBroker ? { 'inter.broker.listener.name': node.between ? 'BETWEEN' : 'PLAINTEXT' } : {}),
    'log.dirs': folder,
    'num.partitions': 1,
    'default.replication.factor': replicas,
    'min.insync.replicas': minInSync,
    'offsets.topic.num.partitions': 4,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.num.partitions': 4,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': minInSync,
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': minInSync,
    'transaction.max.timeout.ms': 60_000,
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': 1000,
    'group.initial.rebalance.delay.ms': 0,
    'auto.create.topics.enable': false,
    'log.cleaner.backoff.ms': 200,
    'log.retention.check.interval.ms': 1000,
    'log.segment.delete.delay.ms': 1000,
    'log.initial.task.delay.ms': 1000,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'num.recovery.threads.per.data.dir': 1,
    'message.max.bytes': 16 * 1024 * 1024,
    'replica.fetch.max.bytes': 16 * 1024 * 1024,
    'unclean.leader.election.enable': false,
    'controlled.shutdown.enable': brokers.length > 1,
    ...(brokers.length > 1 ? fastFailover : singleNode),
    ...settings,
  };
}

export function propertiesText(properties) {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${String(value)}\n`)
    .join('');
}

/** Everything into one file per node; standard output stays empty. */
export function log4jProperties(file) {
  return propertiesText({
    status: 'error',
    'appender.file.type': 'File',
    'appender.file.name': 'file',
    'appender.file.fileName': file,
    'appender.file.layout.type': 'PatternLayout',
    'appender.file.layout.pattern': '%d{ISO8601} %p %m (%c)%n',
    'rootLogger.level': 'info',
    'rootLogger.appenderRef.file.ref': 'file',
    'logger.cleaner.name': 'org.apache.kafka.storage.internals.log.LogCleaner',
    'logger.cleaner.level': 'warn',
  });
}
