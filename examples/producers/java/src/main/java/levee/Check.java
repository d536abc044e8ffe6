package levee;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.io.IOException;
import java.util.Arrays;
import java.util.HexFormat;
import org.apache.kafka.common.utils.Utils;

/** Compares `Put`, and the hash of Kafka's default partitioner, with test/golden/binlog.json. */
class Check {
  private static final HexFormat HEX = HexFormat.of();

  static void vectors(String file) throws IOException {
    JsonNode golden = new ObjectMapper().readTree(new File(file));
    for (JsonNode each : golden.get("records")) {
      byte[] key = HEX.parseHex(each.get("keyHex").asText());
      byte[] value = HEX.parseHex(each.get("valueHex").asText());
      Long expiresAtMs = each.get("expiresAtMs").isNull() ? null : each.get("expiresAtMs").asLong();
      Integer crc = each.get("crc").isNull() ? null : each.get("crc").asInt();
      String record = each.get("recordHex").asText();
      if (each.get("framing").asText().equals("single-object")) {
        same(each, HEX.formatHex(new Put(value, expiresAtMs, crc).encode()), record);
        if (crc != null) same(each, Put.of(key, value, expiresAtMs).crc(), crc);
      }
      Put read = Put.decode(key, HEX.parseHex(record));
      same(each, Arrays.equals(read.value(), value), true);
      same(each, read.expiresAtMs(), expiresAtMs);
    }
    for (JsonNode each : golden.get("bad")) {
      if (each.get("keyHex").isNull()) continue;
      try {
        Put.decode(HEX.parseHex(each.get("keyHex").asText()), HEX.parseHex(each.get("recordHex").asText()));
      } catch (IOException refused) {
        continue;
      }
      throw new AssertionError("taken for a Put: " + each);
    }
    int hashed = 0;
    for (JsonNode each : golden.get("keys")) {
      if (!each.get("algorithm").asText().equals("murmur2")) continue;
      hashed++;
      int hash = Utils.murmur2(HEX.parseHex(each.get("keyHex").asText()));
      same(each, Utils.toPositive(hash) % each.get("partitions").asInt(), each.get("partition").asInt());
    }
    System.out.printf("%d records and %d keys are as they should be%n", golden.get("records").size(), hashed);
  }

  private static void same(JsonNode vector, Object got, Object wanted) {
    if (!java.util.Objects.equals(got, wanted))
      throw new AssertionError(vector + ": " + got + " is not " + wanted);
  }
}
