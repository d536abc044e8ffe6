package levee;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

/** BROKERS TOPIC COUNT: plain values into a topic of your own, as services write them. Nothing here knows of Levee. */
public class Prices {
  public static void main(String[] args) throws Exception {
    String topic = args[1];
    int count = Integer.parseInt(args[2]);
    Map<String, Object> settings = Map.of("bootstrap.servers", args[0], "compression.type", "snappy");
    var text = new StringSerializer();
    try (var producer = new KafkaProducer<>(settings, text, text)) {
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (int i = 0; i < count; i++) sent.add(producer.send(price(topic, i, i * 7 % 1000)));
      // Every fifth gets cheaper, and every tenth is sold out: a null value deletes.
      for (int i = 0; i < count; i += 5) sent.add(producer.send(price(topic, i, 1)));
      for (int i = 3; i < count; i += 10) sent.add(producer.send(new ProducerRecord<>(topic, "item:" + i, null)));
      producer.flush();
      // Throws what became of the record, unless all in-sync replicas have it.
      for (Future<RecordMetadata> each : sent) each.get();
    }
    System.out.printf("prices of %d items are in %s%n", count, topic);
  }

  private static ProducerRecord<String, String> price(String topic, int item, int cents) {
    String value = "{\"item\":%d,\"cents\":%d}".formatted(item, cents);
    var record = new ProducerRecord<>(topic, "item:" + item, value);
    record.headers().add("source", "kafka-clients".getBytes(UTF_8));
    return record;
  }
}
