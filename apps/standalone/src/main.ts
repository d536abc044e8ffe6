import { runProcess } from '@levee/service-kit';
import { startStandalone } from './standalone';

runProcess({
  name: 'levee',
  greets: true,
  start: (lifecycle, logger, greet) => startStandalone(process.env, { lifecycle, logger, greet }),
});
