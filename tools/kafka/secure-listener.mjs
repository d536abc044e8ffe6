// TLS and SCRAM for the local Kafka: certificates by the JDK's keytool, users for the format of the folder.
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const mechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-512'];
const storePassword = 'local-kafka';
const brokerUser = { name: 'broker', password: 'broker-of-this-cluster' };
const keytoolDeadlineMs = 60_000;
/** A dozen short lives: nothing of them is worth optimising. */
const shortLife = ['-J-XX:TieredStopAtLevel=1', '-J-XX:+UseSerialGC'];

/**
 * Makes a certificate authority and what it signs in `folder`. `secure`: {users: {name: password}, clientCertificates:
 * true when clients must show one}. Resolves with `settings` for server.properties, `users` as `StorageTool format
 * --add-scram` takes them, and the PEM files for clients: `ca`, and `cert` and `key` where clients need them.
 */
export async function secureListener(folder, { users = {}, clientCertificates = false }) {
  await mkdir(folder, { recursive: true });
  const at = (name) => join(folder, name);
  const keytool = (...args) =>
    run('keytool', [...shortLife, ...args, '-storepass', storePassword, '-storetype', 'PKCS12']);
  const newKey = (alias, more) =>
    keytool('-genkeypair', '-alias', alias, '-keyalg', 'EC', '-dname', `CN=${alias}`, '-validity', '30', ...more);
  await newKey('ca', ['-keystore', at('ca.p12'), '-ext', 'bc:critical=ca:true']);
  await keytool('-exportcert', '-rfc', '-alias', 'ca', '-keystore', at('ca.p12'), '-file', at('ca.pem'));

  const sign = async (alias, extension) => {
    const store = at(`${alias}.p12`);
    await newKey(alias, ['-keystore', store]);
    await keytool('-certreq', '-alias', alias, '-keystore', store, '-file', at(`${alias}.csr`));
    await keytool(
      ...['-gencert', '-alias', 'ca', '-keystore', at('ca.p12'), '-rfc', '-validity', '30', '-ext', extension],
      ...['-infile', at(`${alias}.csr`), '-outfile', at(`${alias}.pem`)],
    );
    await keytool('-importcert', '-noprompt', '-alias', 'ca', '-keystore', store, '-file', at('ca.pem'));
    await keytool('-importcert', '-noprompt', '-alias', alias, '-keystore', store, '-file', at(`${alias}.pem`));
  };
  await sign('broker', 'san=dns:localhost,ip:127.0.0.1');
  await keytool('-importcert', '-noprompt', '-alias', 'ca', '-keystore', at('trust.p12'), '-file', at('ca.pem'));
  if (clientCertificates) {
    await sign('client', 'eku=clientAuth');
    await exportKey(folder);
  }

  const jaas =
    `org.apache.kafka.common.security.scram.ScramLoginModule required ` +
    `username="${brokerUser.name}" password="${brokerUser.password}";`;
  const logins = mechanisms.map((each) => [`listener.name.plaintext.${each.toLowerCase()}.sasl.jaas.config`, jaas]);
  const all = { ...users, [brokerUser.name]: brokerUser.password };
  return {
    settings: {
      // The listener keeps its name; what is spoken on it changes.
      'listener.security.protocol.map': 'PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT',
      'sasl.enabled.mechanisms': mechanisms.join(','),
      'sasl.mechanism.inter.broker.protocol': 'SCRAM-SHA-512',
      ...Object.fromEntries(logins),
      'ssl.keystore.type': 'PKCS12',
      'ssl.keystore.location': at('broker.p12'),
      'ssl.keystore.password': storePassword,
      'ssl.truststore.type': 'PKCS12',
      'ssl.truststore.location': at('trust.p12'),
      'ssl.truststore.password': storePassword,
      // Without the listener's name Kafka ignores it where SASL is spoken.
      'listener.name.plaintext.ssl.client.auth': clientCertificates ? 'required' : 'none',
    },
    users: Object.entries(all).flatMap(([name, password]) =>
      mechanisms.map((mechanism) => `${mechanism}=[name=${name},password=${password}]`),
    ),
    files: {
      ca: at('ca.pem'),
      ...(clientCertificates ? { cert: at('client.pem'), key: at('client.key') } : {}),
    },
  };
}

/** keytool writes certificates as PEM, but no private keys; five lines of Java do. */
async function exportKey(folder) {
  const source = join(folder, 'ExportKey.java');
  await writeFile(
    source,
    `import java.io.*; import java.security.*; import java.util.Base64;
public class ExportKey {
  public static void main(String[] args) throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    try (InputStream in = new FileInputStream(args[0])) { store.load(in, args[1].toCharArray()); }
    byte[] key = store.getKey("client", args[1].toCharArray()).getEncoded();
    System.out.println("-----BEGIN PRIVATE KEY-----\\n" + Base64.getMimeEncoder().encodeToString(key)
        + "\\n-----END PRIVATE KEY-----");
  }
}
`,
  );
  const pem = await run('java', [source, join(folder, 'client.p12'), storePassword]);
  await writeFile(join(folder, 'client.key'), pem, { mode: 0o600 });
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].on('data', (chunk) => (said[name] += chunk));
    const timer = setTimeout(() => child.kill('SIGKILL'), keytoolDeadlineMs);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(new Error(`local Kafka: ${command}: ${error.message}; it comes with a JDK of Java 17 or newer`));
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      if (code === 0) resolve(said.stdout);
      else
        reject(new Error(`local Kafka: ${command} ${args.join(' ')} ended with ${code}\n${said.stdout}${said.stderr}`));
    });
  });
}
