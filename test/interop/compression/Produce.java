import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Java's producer writes to partition 0 of a topic by each codec; odd transactions are aborted. Arguments: brokers, topic. */
public class Produce {
    static final int records = 200;

    public static void main(String[] args) throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try (var producer = producer(args[0], codec, Map.of())) {
                send(producer, args[1], codec);
            }
            try (var producer = producer(args[0], codec, Map.of("transactional.id", args[1] + codec))) {
                producer.initTransactions();
                for (int n = 0; n < 4; n++) {
                    producer.beginTransaction();
                    send(producer, args[1], codec + (n % 2 == 0 ? "-committed-" : "-aborted-") + n);
                    producer.flush();
                    if (n % 2 == 0) producer.commitTransaction();
                    else producer.abortTransaction();
                }
            }
        }
    }

    private static KafkaProducer<byte[], byte[]> producer(String brokers, String codec, Map<String, Object> more) {
        var settings = new java.util.HashMap<String, Object>(more);
        settings.put("bootstrap.servers", brokers);
        settings.put("compression.type", codec);
        settings.put("linger.ms", 50);
        settings.put("batch.size", 8192);
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private static void send(KafkaProducer<byte[], byte[]> producer, String topic, String prefix) {
        for (int i = 0; i < records; i++) {
            byte[] key = i % 50 == 7 ? null : utf8(prefix + ":" + i);
            byte[] value = i % 50 == 9 ? null : utf8((prefix + " ").repeat(i));
            var record = new ProducerRecord<>(topic, 0, 1_700_000_000_000L + i, key, value);
            if (i % 50 == 3) record.headers().add(new RecordHeader("traceparent", utf8("00-" + i)));
            producer.send(record);
        }
        producer.flush();
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
