import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManagerFactory;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Protocol;
import redis.clients.jedis.exceptions.JedisException;

/** TLS, user and password through Jedis; prints one line per fact. Arguments: port, CA, user, password. */
public class SecureClient {
  static int port;
  static SSLSocketFactory sockets;

  static Jedis open(String user, String password) {
    var config = DefaultJedisClientConfig.builder().ssl(true).sslSocketFactory(sockets);
    if (user != null) config.user(user).password(password);
    return new Jedis(new HostAndPort("localhost", port), config.build());
  }

  static String outcome(String user, String password) {
    try (Jedis jedis = open(user, password)) {
      jedis.get("secure:jedis");
      return "taken";
    } catch (JedisException error) {
      var found = Pattern.compile("NOAUTH|WRONGPASS").matcher(String.valueOf(error.getMessage()));
      return found.find() ? found.group() : error.getMessage();
    }
  }

  public static void main(String[] args) throws Exception {
    port = Integer.parseInt(args[0]);
    var store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    try (var file = new FileInputStream(args[1])) {
      store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
    }
    var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    var context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    sockets = context.getSocketFactory();
    try (Jedis jedis = open(args[2], args[3])) {
      System.out.println("set " + jedis.set("secure:jedis", "value"));
      System.out.println("get " + jedis.get("secure:jedis"));
      System.out.println("whoami " + new String((byte[]) jedis.sendCommand(Protocol.Command.ACL, "WHOAMI")));
    }
    System.out.println("stranger " + outcome(null, null));
    System.out.println("wrong " + outcome(args[2], "wrong"));
    var url = "rediss://" + args[2] + ":" + args[3] + "@localhost:" + port;
    try (Jedis jedis = new Jedis(java.net.URI.create(url), sockets, null, null)) {
      System.out.println("url " + jedis.get("secure:jedis"));
    }
  }
}
