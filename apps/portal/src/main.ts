import { checkPorts, runProcess, watchCertificates } from '@levee/service-kit';
import { openLog } from '@levee/settings';
import { loadPortalConfig } from './config';
import { PortalModule } from './portal.module';

runProcess({
  name: 'portal',
  named: 'LEVEE_INSTANCE',
  start: async (lifecycle, logger) => {
    const { config, logSettings, security } = loadPortalConfig(process.env);
    watchCertificates(security, lifecycle, logger);
    const { host, respPort, httpPort } = config;
    await checkPorts([
      { door: 'RESP', setting: 'LEVEE_RESP_PORT', host, port: respPort },
      { door: 'HTTP', setting: 'LEVEE_HTTP_PORT', host, port: httpPort },
    ]);
    const { log } = await openLog(logSettings, { logger, clientId: config.instance, isShared: true });
    lifecycle.onDrain('log', () => log.close());
    const app = await PortalModule.start({ config, log, security, logger });
    lifecycle.onDrain('portal', () => app.close());
    logger.info({ url: app.url, resp: app.portal.respAddress, log: log.description }, 'the portal listens');
  },
});
