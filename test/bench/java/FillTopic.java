import java.util.ArrayDeque;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * A topic as a service's producer leaves it: JSON orders, half of each value a text that says nothing, keys k0 and on.
 * Arguments: brokers, topic, compression, records, bytes of each value.
 * Prints the last key of each partition, separated by commas, then the bytes that the producer sent.
 */
public final class FillTopic {
  public static void main(String[] args) throws Exception {
    int records = Integer.parseInt(args[3]);
    int bytes = Integer.parseInt(args[4]);
    Map<String, Object> settings =
        Map.of(
            "bootstrap.servers", args[0],
            "compression.type", args[2],
            "linger.ms", "50",
            "batch.size", "131072",
            "key.serializer", StringSerializer.class.getName(),
            "value.serializer", ByteArraySerializer.class.getName());
    Random dice = new Random(1);
    Map<Integer, String> last = new TreeMap<>();
    try (KafkaProducer<String, byte[]> producer = new KafkaProducer<>(settings)) {
      Queue<Future<RecordMetadata>> sent = new ArrayDeque<>();
      for (int i = 0; i < records; i++) {
        sent.add(producer.send(new ProducerRecord<>(args[1], "k" + i, value(dice, i, bytes))));
        // The last one of each partition is among the last 10,000.
        if (sent.size() > 10_000) sent.remove().get();
      }
      producer.flush();
      int at = records - sent.size();
      for (Future<RecordMetadata> each : sent) last.put(each.get().partition(), "k" + at++);
      double out =
          producer.metrics().values().stream()
              .filter(m -> m.metricName().name().equals("outgoing-byte-total") && m.metricName().group().equals("producer-metrics"))
              .mapToDouble(m -> (double) m.metricValue())
              .sum();
      System.out.println(String.join(",", last.values()));
      System.out.println((long) out);
    }
  }

  private static final String letters = "abcdefghijklmnopqrstuvwxyz0123456789";

  private static byte[] value(Random dice, int i, int bytes) {
    StringBuilder json = new StringBuilder(bytes);
    json.append("{\"id\":").append(i).append(",\"total\":").append(dice.nextInt(100_000)).append(",\"note\":\"");
    int half = bytes / 2;
    while (json.length() < half) json.append("an order of a customer, ");
    json.setLength(Math.max(half, 40));
    while (json.length() < bytes - 2) json.append(letters.charAt(dice.nextInt(letters.length())));
    return json.append("\"}").toString().getBytes();
  }
}
