export { KafkaLog, type KafkaLogOptions } from './kafka-log';
export { type KafkaLogLimits, kafkaLogLimits } from './limits';
