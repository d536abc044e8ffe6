package levee;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.zip.CRC32C;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.message.BinaryMessageEncoder;

/** The value of a binlog record (docs/binlog.md): Avro's single-object encoding does what is needed. */
record Put(byte[] value, Long expiresAtMs, Integer crc) {
  private static final Schema SCHEMA =
      new Schema.Parser()
          .parse(
              """
              {"type": "record", "name": "Put", "namespace": "levee", "fields": [
                {"name": "expiresAtMs", "type": ["null", "long"], "default": null},
                {"name": "crc", "type": ["null", "int"], "default": null},
                {"name": "value", "type": "bytes"}]}
              """);

  private static final BinaryMessageEncoder<GenericRecord> ENCODER =
      new BinaryMessageEncoder<>(GenericData.get(), SCHEMA);
  private static final GenericDatumReader<GenericRecord> READER = new GenericDatumReader<>(SCHEMA);
  private static final byte[] FRAME = {
    (byte) 0xc3, 0x01, 0x73, 0x55, 0x5d, 0x30, 0x59, (byte) 0xee, 0x55, 0x13
  };

  /** With a checksum, which is optional. `expiresAtMs`: milliseconds since 1970, null for never. */
  static Put of(byte[] key, byte[] value, Long expiresAtMs) {
    return new Put(value, expiresAtMs, checksum(key, value, expiresAtMs));
  }

  byte[] encode() throws IOException {
    GenericRecordBuilder record = new GenericRecordBuilder(SCHEMA);
    record.set("expiresAtMs", expiresAtMs).set("crc", crc).set("value", ByteBuffer.wrap(value));
    ByteBuffer encoded = ENCODER.encode(record.build());
    byte[] bytes = new byte[encoded.remaining()];
    encoded.get(bytes);
    return bytes;
  }

  /** Reads both framings, Avro's and that of Confluent's serializers, and compares the checksum. */
  static Put decode(byte[] key, byte[] record) throws IOException {
    BinaryDecoder body = DecoderFactory.get().binaryDecoder(record, bodyOf(record), lengthOf(record), null);
    GenericRecord read;
    try {
      read = READER.read(null, body);
    } catch (RuntimeException broken) {
      throw new IOException("no Put", broken);
    }
    if (!body.isEnd()) throw new IOException("bytes behind the Put");
    ByteBuffer value = (ByteBuffer) read.get("value");
    byte[] bytes = new byte[value.remaining()];
    value.get(bytes);
    Put put = new Put(bytes, (Long) read.get("expiresAtMs"), (Integer) read.get("crc"));
    if (put.crc != null && put.crc != checksum(key, bytes, put.expiresAtMs))
      throw new IOException("the crc is that of another Put");
    return put;
  }

  private static int bodyOf(byte[] record) throws IOException {
    if (record.length >= FRAME.length && Arrays.equals(record, 0, FRAME.length, FRAME, 0, FRAME.length))
      return FRAME.length;
    if (record.length >= 5 && record[0] == 0) return 5;
    throw new IOException("no Put");
  }

  private static int lengthOf(byte[] record) throws IOException {
    return record.length - bodyOf(record);
  }

  private static int checksum(byte[] key, byte[] value, Long expiresAtMs) {
    CRC32C crc = new CRC32C();
    crc.update(key);
    crc.update(ByteBuffer.allocate(8).putLong(0, expiresAtMs == null ? 0 : expiresAtMs));
    crc.update(value);
    return (int) crc.getValue();
  }
}
