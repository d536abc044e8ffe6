import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

/** Prints `murmur2 <key> <hash> <partition per count>...` of each key of a file of hexadecimal lines. */
public class Partitions {
    public static void main(String[] args) throws Exception {
        int[] counts = Stream.of(args[1].split(",")).mapToInt(Integer::parseInt).toArray();
        for (String line : Files.readAllLines(Path.of(args[0]))) {
            byte[] key = HexFormat.of().parseHex(line);
            String partitions = java.util.Arrays.stream(counts)
                .mapToObj(count -> "" + BuiltInPartitioner.partitionForKey(key, count))
                .collect(Collectors.joining(" "));
            System.out.println("murmur2 " + line + " " + Utils.toPositive(Utils.murmur2(key)) + " " + partitions);
        }
    }
}
