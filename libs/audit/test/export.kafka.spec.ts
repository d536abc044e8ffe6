import { KafkaLog } from '@levee/log-kafka';
import { drawnOne } from '../../../test/support/drawn';
import { exportCases } from './export-cases';

describe('export and import on Kafka', () =>
  exportCases(
    () => {
      const brokers = process.env['KAFKA_BROKERS'];
      if (brokers === undefined) throw new Error('KAFKA_BROKERS is not set: run npm test, or npm run kafka:start');
      return KafkaLog.open({ brokers: brokers.split(','), clientId: 'export' });
    },
    drawnOne('export on Kafka', ['put', 'raw']),
  ));
