import { logContract } from '@levee/log-contract';
import { kafkaHarness } from './kafka-harness';
import { KafkaProcess } from './kafka-process';

let kafka: KafkaProcess;

beforeAll(async () => {
  kafka = await KafkaProcess.start(1);
}, 120_000);

afterAll(async () => {
  await kafka?.stop();
}, 30_000);

logContract(
  'log-kafka on Kafka 4.2',
  kafkaHarness(() => kafka),
);
