import java.nio.file.Files;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.InvalidStateStoreException;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.QueryableStoreTypes;
import org.apache.kafka.streams.state.ReadOnlyKeyValueStore;

/**
 * The same work in Kafka Streams: a topic into RocksDB, two threads, no caching, no changelog.
 * Arguments: brokers, topic, the keys that are the last ones of each partition, separated by commas, and "global" for a
 * GlobalKTable, which restores with one thread before it starts.
 * Prints the seconds from start() until every one of those keys is readable.
 */
public final class StreamsPeer {
  public static void main(String[] args) throws Exception {
    String brokers = args[0];
    String topic = args[1];
    String[] lastKeys = args[2].split(",");
    Properties settings = new Properties();
    settings.put("bootstrap.servers", brokers);
    settings.put("application.id", "peer-" + System.nanoTime());
    settings.put("state.dir", Files.createTempDirectory("streams-peer").toString());
    settings.put("num.stream.threads", "2");
    settings.put("statestore.cache.max.bytes", "0");
    settings.put("commit.interval.ms", "1000");
    settings.put("topology.optimization", "all");
    settings.put("auto.offset.reset", "earliest");

    StreamsBuilder builder = new StreamsBuilder();
    Consumed<byte[], byte[]> consumed = Consumed.with(Serdes.ByteArray(), Serdes.ByteArray());
    Materialized<byte[], byte[], KeyValueStore<Bytes, byte[]>> store =
        Materialized.<byte[], byte[], KeyValueStore<Bytes, byte[]>>as("table").withCachingDisabled().withLoggingDisabled();
    if (args.length > 3 && args[3].equals("global")) builder.globalTable(topic, consumed, store);
    else builder.table(topic, consumed, store);

    long began = System.nanoTime();
    KafkaStreams streams = new KafkaStreams(builder.build(settings), settings);
    streams.start();
    ReadOnlyKeyValueStore<byte[], byte[]> table = null;
    Map<String, Boolean> missing = new HashMap<>();
    for (String key : lastKeys) missing.put(key, true);
    while (!missing.isEmpty()) {
      if (System.nanoTime() - began > 180_000_000_000L) throw new IllegalStateException("not materialised within 180 s");
      try {
        if (table == null)
          table = streams.store(StoreQueryParameters.fromNameAndType("table", QueryableStoreTypes.keyValueStore()));
        ReadOnlyKeyValueStore<byte[], byte[]> read = table;
        missing.keySet().removeIf(key -> read.get(key.getBytes()) != null);
      } catch (InvalidStateStoreException starting) {
        table = null;
      }
      if (!missing.isEmpty()) Thread.sleep(2);
    }
    System.out.printf("%.3f%n", (System.nanoTime() - began) / 1e9);
    streams.close(Duration.ofSeconds(5));
    System.exit(0);
  }
}
