import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ReaderThread } from '@levee/chunk-store';
import { systemClock, systemTimers } from '@levee/log';
import { checkPorts, runProcess, watchCertificates } from '@levee/service-kit';
import { openLog } from '@levee/settings';
import { loadDataNodeConfig } from './config';
import { DataNodeModule } from './data-node.module';

runProcess({
  name: 'data-node',
  named: 'LEVEE_NODE_ID',
  start: async (lifecycle, logger) => {
    const { config, logSettings, security } = loadDataNodeConfig(process.env);
    watchCertificates(security, lifecycle, logger);
    await checkPorts([
      { door: 'RESP', setting: 'LEVEE_NODE_RESP_PORT', host: config.host, port: config.respPort },
      { door: 'HTTP', setting: 'LEVEE_NODE_HTTP_PORT', host: config.host, port: config.httpPort },
    ]);
    const readerThread = new ReaderThread({ clock: systemClock, timers: systemTimers, logger });
    lifecycle.onDrain('reader thread', () => readerThread.close());
    // What the node holds is checked before it is served.
    if (existsSync(join(config.folder, 'units'))) readerThread.begin();
    const { log } = await openLog(logSettings, { logger, clientId: config.nodeId, isShared: true });
    lifecycle.onDrain('log', () => log.close());
    const app = await DataNodeModule.start({ config, log, security, logger, readerThread });
    lifecycle.onDrain('data node', () => app.close());
    logger.info({ url: app.url, resp: app.node.respAddress, log: log.description }, 'the data node listens');
  },
});
