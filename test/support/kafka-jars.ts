import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const artifacts = join(__dirname, '..', '..', 'tools', 'kafka', 'artifacts.mjs');

/** The folder of Kafka's jars, Java's clients among them. */
export async function kafkaJars(): Promise<string> {
  const program = `import { kafkaJars } from ${JSON.stringify(artifacts)}; console.log(await kafkaJars());`;
  return (await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])).stdout.trim();
}
