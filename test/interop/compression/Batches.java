import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.CompressionType;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.SimpleRecord;

/** Prints `<codec> <batch in hexadecimal>`: the same records as kafka-clients compresses them. */
public class Batches {
    public static void main(String[] args) {
        for (CompressionType type : CompressionType.values()) {
            MemoryRecords batch = MemoryRecords.withRecords(100, Compression.of(type).build(), records());
            ByteBuffer buffer = batch.buffer();
            byte[] bytes = new byte[buffer.remaining()];
            buffer.get(bytes);
            System.out.println(type.name + " " + HexFormat.of().formatHex(bytes));
        }
    }

    private static SimpleRecord[] records() {
        SimpleRecord[] records = new SimpleRecord[40];
        for (int i = 0; i < records.length; i++) {
            byte[] key = i == 7 ? null : utf8("user:" + i);
            byte[] value = i == 9 ? null : utf8(("{\"id\":" + i + ",\"city\":\"Zürich\",\"tags\":[\"a\",\"b\"]}").repeat(1 + i));
            Header[] headers = i % 10 == 3 ? new Header[] {new RecordHeader("traceparent", utf8("00-" + i))} : new Header[0];
            records[i] = new SimpleRecord(1_700_000_000_000L + i * 10, key, value, headers);
        }
        return records;
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
