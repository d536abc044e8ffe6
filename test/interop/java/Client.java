import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.Supplier;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.exceptions.JedisException;
import redis.clients.jedis.params.ScanParams;
import redis.clients.jedis.params.SetParams;

/** Reads and writes through Jedis; prints one line per fact, which the test compares. Argument: port. */
public class Client {
  static int port;

  static Jedis connect(String user) {
    var config = DefaultJedisClientConfig.builder();
    if (user != null) config.user(user).password("-");
    return new Jedis(new HostAndPort("127.0.0.1", port), config.build());
  }

  static String refused(Supplier<Object> work) {
    try {
      work.get();
      return "taken";
    } catch (JedisException error) {
      return "refused: " + error.getMessage().split(" ")[0];
    }
  }

  static String texts(List<?> replies) {
    return String.join(" ", replies.stream().map(reply -> reply == null ? "-" : reply.toString()).toList());
  }

  static void say(Object... words) {
    System.out.println(String.join(" ", Arrays.stream(words).map(String::valueOf).toList()));
  }

  public static void main(String[] args) {
    port = Integer.parseInt(args[0]);
    var jedis = connect(null);
    say("ping", jedis.ping());
    byte[] key = {0, 107, -1}, value = {13, 10, 0, -1};
    jedis.set(key, value);
    say("binary", Arrays.equals(jedis.get(key), value));
    say("missing", jedis.get("none") == null);
    var large = new byte[1024 * 1024];
    new Random().nextBytes(large);
    jedis.set("large".getBytes(), large);
    say("large", Arrays.equals(jedis.get("large".getBytes()), large));
    jedis.set("short", "x", SetParams.setParams().ex(100));
    say("expiry", jedis.ttl("short") > 0 && jedis.ttl("short") <= 100);

    var pipeline = jedis.pipelined();
    for (int i = 0; i < 1000; i++) {
      pipeline.set("p:" + i, "" + i);
      pipeline.get("p:" + i);
    }
    List<Object> replies = pipeline.syncAndReturnAll();
    int right = 0;
    for (int i = 0; i < 1000; i++) if (replies.get(2 * i + 1).equals("" + i)) right++;
    say("pipeline", right);

    var multi = refused(() -> {
      var transaction = jedis.multi();
      transaction.set("m:1", "1");
      transaction.set("m:2", "2");
      return transaction.exec();
    });
    try (var other = connect(null)) {
      say("multi", multi, "left", other.exists("m:1", "m:2"));
    }
    try (var batched = connect("batched")) {
      var batch = batched.multi();
      batch.set("b:1", "1");
      batch.get("b:1");
      batch.del("b:1");
      say("batch", texts(batch.exec()));
    }

    try (var again = connect(null); var batched = connect("batched")) {
      var fill = batched.pipelined();
      for (int i = 0; i < 1000; i++) fill.set("f:" + i, "" + i);
      fill.sync();
      var flushed = batched.flushDB();
      say("flush", flushed, "left", batched.dbSize() + ",", refused(again::flushDB), "left", again.exists("p:1") ? 1 : 0);

      Set<String> seen = new HashSet<>();
      var cursor = ScanParams.SCAN_POINTER_START;
      do {
        var page = again.scan(cursor, new ScanParams().match("p:*").count(100));
        seen.addAll(page.getResult());
        cursor = page.getCursor();
      } while (!cursor.equals(ScanParams.SCAN_POINTER_START));
      say("scan", seen.size());

      var pool = new Jedis[10];
      for (int i = 0; i < 10; i++) pool[i] = connect(null);
      int missed = 0;
      for (int i = 0; i < 1000; i++) {
        pool[i % 10].set("pool:" + i % 7, "" + i);
        if (!("" + i).equals(pool[(i + 1) % 10].get("pool:" + i % 7))) missed++;
      }
      for (var each : pool) each.close();
      say("pool missed", missed);

      say("cache", again.mset("c:1", "a", "c:2", "b"), texts(again.mget("c:1", "c:2", "c:3")));
      say("limiter", refused(() -> again.incr("limit")), "left", again.exists("limit") ? 1 : 0);
      say("touch", refused(() -> again.expire("short", 50)));
      var strayed = refused(() -> {
        try (var stray = connect("nosuch")) {
          return stray.set("stray", "1");
        }
      });
      say("nowhere", strayed.startsWith("refused"), "left", again.exists("stray") ? 1 : 0);
      say("del", again.del("short", "none"), again.exists("short") ? 1 : 0);
    }
    jedis.close();
  }
}
