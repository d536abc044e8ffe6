package levee;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Future;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** check BINLOG.JSON | produce BROKERS TOPIC NAME | consume BROKERS TOPIC */
public class Orders {
  private static final byte[] RESERVED = "\0levee\0".getBytes(UTF_8);

  public static void main(String[] args) throws Exception {
    switch (args[0]) {
      case "check" -> Check.vectors(args[1]);
      case "produce" -> produce(args[1], args[2], args[3]);
      case "consume" -> consume(args[1], args[2]);
      default -> throw new IllegalArgumentException(args[0]);
    }
  }

  /** A hundred orders, every tenth of which expires in an hour; the seventh is deleted again. */
  private static void produce(String brokers, String topic, String name) throws Exception {
    // The partitioner is left at its default; so are acks=all and idempotence, which are said for the reader.
    Map<String, Object> settings =
        Map.of("bootstrap.servers", brokers, "acks", "all", "enable.idempotence", true);
    var bytes = new ByteArraySerializer();
    try (var producer = new KafkaProducer<>(settings, bytes, bytes)) {
      long hourAhead = System.currentTimeMillis() + 3_600_000;
      List<Future<RecordMetadata>> sent = new ArrayList<>();
      for (int i = 0; i < 100; i++) {
        byte[] key = (name + ":order:" + i).getBytes(UTF_8);
        Put put = Put.of(key, (i + " apples").getBytes(UTF_8), i % 10 == 0 ? hourAhead : null);
        sent.add(producer.send(new ProducerRecord<>(topic, key, put.encode())));
      }
      sent.add(producer.send(new ProducerRecord<>(topic, (name + ":order:7").getBytes(UTF_8), null)));
      producer.flush();
      // Throws what became of the record, unless all in-sync replicas have it.
      for (Future<RecordMetadata> each : sent) each.get();
    }
    System.out.printf("orders of %s are in %s%n", name, topic);
  }

  /** Prints the newest value of each key. */
  private static void consume(String brokers, String topic) {
    Map<String, Object> settings =
        Map.of("bootstrap.servers", brokers, "isolation.level", "read_committed", "allow.auto.create.topics", false);
    Map<String, Put> table = new TreeMap<>();
    var bytes = new ByteArrayDeserializer();
    try (var consumer = new KafkaConsumer<>(settings, bytes, bytes)) {
      var partitions =
          consumer.partitionsFor(topic).stream().map(p -> new TopicPartition(topic, p.partition())).toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      // A follower goes on for ever; this one ends where the binlog ended when it began.
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p)))
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1)))
          apply(table, record.key(), record.value());
    }
    long now = System.currentTimeMillis();
    table.forEach(
        (key, put) -> {
          Long expires = put.expiresAtMs();
          if (expires == null || expires > now)
            System.out.println(
                key + "\t" + new String(put.value(), UTF_8) + "\t" + (expires == null ? "never" : expires));
        });
  }

  private static void apply(Map<String, Put> table, byte[] key, byte[] value) {
    if (key == null || startsWith(key, RESERVED)) return;
    table.remove(new String(key, UTF_8));
    if (value == null) return;
    try {
      table.put(new String(key, UTF_8), Put.decode(key, value));
    } catch (IOException bad) {
      System.err.println(new String(key, UTF_8) + ": " + bad.getMessage());
    }
  }

  private static boolean startsWith(byte[] key, byte[] prefix) {
    return key.length >= prefix.length
        && java.util.Arrays.equals(key, 0, prefix.length, prefix, 0, prefix.length);
  }
}
