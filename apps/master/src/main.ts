import { runProcess, watchCertificates } from '@levee/service-kit';
import { openLog } from '@levee/settings';
import { loadMasterConfig } from './config';
import { MasterModule } from './master.module';

runProcess({
  name: 'master',
  named: 'LEVEE_INSTANCE',
  start: async (lifecycle, logger) => {
    const { config, logSettings, security } = loadMasterConfig(process.env);
    watchCertificates(security, lifecycle, logger);
    const { log, isEmbedded } = await openLog(logSettings, { logger, clientId: config.instance, isShared: true });
    lifecycle.onDrain('log', () => log.close());
    const app = await MasterModule.start({ config, log, security, isEmbedded, logger });
    lifecycle.onDrain('master', () => app.close());
    logger.info({ url: app.url, log: log.description }, 'the master listens');
  },
});
