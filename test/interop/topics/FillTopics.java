import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Java's producer fills topics with everything that a topic of a team may hold, and says what each of them holds then.
 * Arguments: brokers, seed, records of each topic, then `topic=codec` for each. A line of JSON for each topic; after a line
 * of its input, before which the topics were compacted, as many records again, and lines again, until its input ends.
 */
public class FillTopics {
  private static final long HOUR_MS = 3_600_000;

  public static void main(String[] args) throws Exception {
    int records = Integer.parseInt(args[2]);
    List<FillTopics> topics = new ArrayList<>();
    for (int at = 3; at < args.length; at++) {
      String[] parts = args[at].split("=");
      topics.add(new FillTopics(args[0], parts[0], parts[1], Long.parseLong(args[1]) * 31 + at, records));
    }
    var input = new BufferedReader(new InputStreamReader(System.in));
    do {
      for (FillTopics topic : topics) {
        topic.fill(records);
        System.out.println(topic.account());
        topic.takesNoKey = false;
      }
    } while (input.readLine() != null);
    for (FillTopics topic : topics) topic.close();
  }

  private final String topic;
  private final Random random;
  private final int keys;
  /** One writes batches of a record each, others larger ones; the last one writes transactions. */
  private final List<KafkaProducer<byte[], byte[]>> producers = new ArrayList<>();

  /** What each key holds: compared by content, as byte arrays are not. */
  private final Map<ByteBuffer, byte[]> table = new HashMap<>();
  private long written;
  private long aborted;
  private long withoutKey;
  private long badExpiry;
  private boolean takesNoKey = true;

  private FillTopics(String brokers, String topic, String codec, long seed, int records) {
    this.topic = topic;
    this.random = new Random(seed);
    this.keys = Math.max(1, records * 3 / 5);
    for (int batchBytes : new int[] {1, 700, 16_384, 900_000})
      producers.add(producer(brokers, codec, batchBytes, Map.of()));
    producers.add(producer(brokers, codec, 16_384, Map.of("transactional.id", topic + "-tx")));
    transactional().initTransactions();
  }

  private static KafkaProducer<byte[], byte[]> producer(
      String brokers, String codec, int batchBytes, Map<String, Object> more) {
    Map<String, Object> settings = new HashMap<>(more);
    settings.put("bootstrap.servers", brokers);
    settings.put("compression.type", codec);
    settings.put("batch.size", batchBytes);
    settings.put("linger.ms", batchBytes > 16_384 ? 20 : 0);
    var bytes = new ByteArraySerializer();
    return new KafkaProducer<>(settings, bytes, bytes);
  }

  private KafkaProducer<byte[], byte[]> transactional() {
    return producers.get(producers.size() - 1);
  }

  /** Rounds of odd sizes, each by one producer and flushed: the order of two records of a key is the order of rounds. */
  private void fill(int records) throws Exception {
    for (int left = records; left > 0; ) {
      int which = random.nextInt(producers.size());
      int most = which == 0 ? 40 : records > 100_000 ? 12_000 : 900;
      int count = Math.min(left, 1 + random.nextInt(most));
      left -= count;
      boolean inTransaction = which == producers.size() - 1;
      boolean abort = inTransaction && random.nextInt(3) == 0;
      round(producers.get(which), count, inTransaction, abort);
    }
  }

  private void round(KafkaProducer<byte[], byte[]> producer, int count, boolean inTransaction, boolean abort)
      throws Exception {
    if (!takesNoKey) refusedWithoutKey();
    if (inTransaction) producer.beginTransaction();
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      ProducerRecord<byte[], byte[]> record = record(abort);
      sent.add(producer.send(record));
    }
    producer.flush();
    for (Future<RecordMetadata> each : sent) each.get();
    if (!inTransaction) return;
    if (abort) producer.abortTransaction();
    else producer.commitTransaction();
  }

  /** A compacted topic takes no record without a key; and none of its batch. */
  private void refusedWithoutKey() throws Exception {
    var refused = producers.get(2).send(new ProducerRecord<>(topic, null, utf8("no key")));
    producers.get(2).flush();
    try {
      refused.get();
    } catch (ExecutionException expected) {
      if (expected.getCause() instanceof InvalidRecordException) return;
      throw expected;
    }
    throw new AssertionError("a record without a key was taken");
  }

  /** The next record; unless it will be aborted, the table says what it does. */
  private ProducerRecord<byte[], byte[]> record(boolean aborts) {
    byte[] key = random.nextInt(200) == 0 && takesNoKey ? null : key(random.nextInt(keys));
    byte[] value = random.nextInt(16) == 0 ? null : value();
    long timestamp = System.currentTimeMillis() - (long) (random.nextDouble() * 20_000 * HOUR_MS);
    var record = new ProducerRecord<>(topic, null, timestamp, key, value);
    if (random.nextInt(5) == 0) record.headers().add(new RecordHeader("traceparent", utf8("00-" + written)));
    boolean expired = false;
    boolean bad = false;
    if (random.nextInt(40) == 0) {
      int kind = random.nextInt(3);
      expired = kind == 0;
      bad = kind == 1;
      String when = expired ? "1700000000000" : bad ? "tomorrow" : "" + (System.currentTimeMillis() + 24 * HOUR_MS);
      record.headers().add(new RecordHeader("levee-expires-at-ms", utf8(when)));
    }
    written++;
    if (aborts) {
      aborted++;
    } else if (key == null) {
      withoutKey++;
    } else {
      if (bad && value != null) badExpiry++;
      if (value == null || expired) table.remove(ByteBuffer.wrap(key));
      else table.put(ByteBuffer.wrap(key), value);
    }
    return record;
  }

  /** Plain ones, bytes that are no text, long ones, and the empty one. */
  private static byte[] key(int index) {
    if (index == 0) return new byte[0];
    if (index % 11 == 0) return ByteBuffer.allocate(9).put((byte) 0xff).putLong(index * 0x9e3779b97f4a7c15L).array();
    if (index % 97 == 0) return utf8(("long:" + index + ":").repeat(60));
    return utf8("price:" + index);
  }

  private byte[] value() {
    int kind = random.nextInt(1_000);
    if (kind < 8) return new byte[0];
    if (kind == 8) return utf8("large ".repeat(2_000 + random.nextInt(10_000)));
    if (kind < 300) {
      byte[] noise = new byte[random.nextInt(300)];
      random.nextBytes(noise);
      return noise;
    }
    return utf8("{\"cents\":" + random.nextInt(100_000) + ",\"note\":\"" + "tea and more ".repeat(random.nextInt(12)) + "\"}");
  }

  /** `sum`: of every key and value, in no order: the first 8 bytes of SHA-256 of the key's length, key and value, added. */
  private String account() throws Exception {
    MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
    long sum = 0;
    for (Map.Entry<ByteBuffer, byte[]> each : table.entrySet()) {
      byte[] key = each.getKey().array();
      sha256.update(ByteBuffer.allocate(4).putInt(0, key.length));
      sha256.update(key);
      sum += ByteBuffer.wrap(sha256.digest(each.getValue())).getLong();
    }
    return String.format(
        "{\"topic\":\"%s\",\"written\":%d,\"aborted\":%d,\"withoutKey\":%d,\"badExpiry\":%d,\"keys\":%d,\"sum\":\"%s\"}",
        topic, written, aborted, withoutKey, badExpiry, table.size(), Long.toUnsignedString(sum));
  }

  private void close() {
    for (KafkaProducer<byte[], byte[]> producer : producers) producer.close();
  }

  private static byte[] utf8(String text) {
    return text.getBytes(UTF_8);
  }
}
