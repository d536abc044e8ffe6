import { openLog, runProcess } from '@levee/service-kit';
import { loadMasterConfig } from './config';
import { MasterModule } from './master.module';

runProcess({
  name: 'master',
  named: 'LEVEE_INSTANCE',
  start: async (lifecycle, logger) => {
    const { config, logSettings } = loadMasterConfig(process.env);
    const { log, isEmbedded } = await openLog(logSettings, { logger, clientId: config.instance, isShared: true });
    lifecycle.onDrain('log', () => log.close());
    const app = await MasterModule.start({ config, log, isEmbedded, logger });
    lifecycle.onDrain('master', () => app.close());
    logger.info({ url: app.url, log: log.description }, 'the master listens');
  },
});
