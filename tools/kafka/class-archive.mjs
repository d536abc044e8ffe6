// The JVM's archive of Kafka's classes: a broker that starts with it needs 1.5 s of processor time instead of 2.7.
import { randomUUID } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';

/**
 * JVM options of a start with the archive `${jars}.jsa`. Where there is none, `startOnce(options)` has to start a broker
 * with these options and to end it cleanly; the JVM then leaves one. A JVM that leaves none is not asked again. Another
 * Java, and other jars, are noticed by the JVM itself, which then starts as without.
 */
export async function archiveOptions(jars, startOnce) {
  const file = `${jars}.jsa`;
  if (!existsSync(file) && !(await make(file, startOnce))) return [];
  return statSync(file).size === 0 ? [] : [`-XX:SharedArchiveFile=${file}`, '-Xshare:auto', '-Xlog:cds=off'];
}

async function make(file, startOnce) {
  const partial = `${file}.${randomUUID()}`;
  try {
    await startOnce([`-XX:ArchiveClassesAtExit=${partial}`, '-Xlog:cds=off', '-Xlog:cds+dynamic=off']);
    if (!existsSync(partial)) await writeFile(partial, '');
    await rename(partial, file);
    return true;
  } catch {
    // What keeps a broker from starting is said by the start that was asked for.
    return false;
  } finally {
    await rm(partial, { force: true });
  }
}
