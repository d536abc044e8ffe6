import { runProcess } from '@levee/service-kit';
import { startStandalone } from './standalone';

runProcess({ name: 'levee', start: (lifecycle, logger) => startStandalone(process.env, lifecycle, logger) });
