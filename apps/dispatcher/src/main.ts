import { runProcess, watchCertificates } from '@levee/service-kit';
import { openLog } from '@levee/settings';
import { loadDispatcherConfig } from './config';
import { DispatcherModule } from './dispatcher.module';

runProcess({
  name: 'dispatcher',
  named: 'LEVEE_INSTANCE',
  start: async (lifecycle, logger) => {
    const { config, logSettings, security } = loadDispatcherConfig(process.env);
    watchCertificates(security, lifecycle, logger);
    const { log } = await openLog(logSettings, { logger, clientId: config.instance, isShared: true });
    lifecycle.onDrain('log', () => log.close());
    const app = await DispatcherModule.start({ config, log, security, logger });
    lifecycle.onDrain('dispatcher', () => app.close());
    logger.info({ url: app.url, log: log.description }, 'the dispatcher listens');
  },
});
