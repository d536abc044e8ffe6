export { KafkaLog } from './kafka-log';
export { type KafkaLogLimits, kafkaLogLimits } from './limits';
