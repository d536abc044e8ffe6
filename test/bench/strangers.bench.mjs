/** A bystander's GETs and SETs beside each kind of hostile or careless client; memory at its peak. */
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { eventually, residentMb, root, scratch, standalone } from './processes.mjs';

const kinds = [
  'nobody',
  'names of 15 MiB',
  'patterns that match badly',
  '200,000 GETs written before a reply is read',
  'MGETs of 65,535 keys in pipelines',
  'SETs of 1 MB in pipelines',
  '60 connections that read nothing',
  '60 bytes that promise 16 MiB',
  'commands of 15 MiB that never end',
  '300 unread scans',
  '1,500 unfinished bodies',
  'commands of unknown kinds',
].filter((kind) => kind.includes(process.env.STRANGER ?? ''));
const runMs = 8_000;
const reach = { p99Ms: 50, longestMs: 1_000, peakMb: 1_536 };

export async function strangers(report) {
  const dir = scratch('strangers');
  try {
    for (const kind of kinds) {
      const levee = await standalone(dir);
      try {
        levee.url = await eventually('its doors', () => JSON.parse(readFileSync(join(dir, 'doors.json'), 'utf8')).http);
        await fill(levee);
        await beside(report, levee, kind);
      } finally {
        await levee.stop();
      }
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function fill(levee) {
  const redis = new Redis(levee.resp, '127.0.0.1');
  if ((await redis.get('filled')) !== null) return redis.disconnect();
  const small = 'v'.repeat(500);
  const large = 'v'.repeat(100_000);
  for (let i = 0; i < 20_000; i += 1_000)
    await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => redis.set(`key:${String(i + n).padStart(12, '0')}`, small)),
    );
  for (let i = 0; i < 200; i += 20)
    await Promise.all(Array.from({ length: 20 }, (_, n) => redis.set(`large:${i + n}`, large)));
  await redis.set('filled', 'yes');
  redis.disconnect();
}

async function beside(report, levee, kind) {
  const redis = new Redis(levee.resp, '127.0.0.1');
  await eventually('a value', async () => (await redis.get(`key:${'0'.repeat(12)}`)) !== null);
  const stranger = kind === 'nobody' ? undefined : begin(kind, levee);
  const took = [];
  let errors = 0;
  let peakMb = 0;
  const look = setInterval(() => (peakMb = Math.max(peakMb, residentMb(levee.child))), 50);
  const endAt = performance.now() + runMs;
  for (let i = 0; performance.now() < endAt; i++) {
    const began = performance.now();
    await (
      i % 4 === 0 ? redis.set('bystander', String(i)) : redis.get(`key:${String(i % 20_000).padStart(12, '0')}`)
    ).catch(() => errors++);
    took.push(performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  clearInterval(look);
  redis.disconnect();
  const said = stranger && (await stranger);
  took.sort((a, b) => a - b);
  const [p50, p99, longest] = [took[took.length >> 1], took[Math.floor(took.length * 0.99)], took.at(-1)];
  report.add({
    work: `a client's GETs and SETs beside ${kind}`,
    measured:
      `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, longest ${longest.toFixed(0)} ms, ${errors} failed; ` +
      `memory ${peakMb.toFixed(0)} MB${said ? `; it: ${said}` : ''}`,
    reach: `p99 ${reach.p99Ms} ms, longest ${reach.longestMs} ms, none failed, ${reach.peakMb} MB`,
    ok: p99 <= reach.p99Ms && longest <= reach.longestMs && errors === 0 && peakMb <= reach.peakMb,
  });
}

/** Resolves with what it saw, in words. */
function begin(kind, levee) {
  const http = new URL(levee.url).port;
  const args = [join(root, 'test/support/stranger.cjs'), kind, String(levee.resp), http, String(runMs - 500)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  return new Promise((resolve) =>
    child.once('exit', () => {
      const { bytes, errors, closed, whole, firstError } = JSON.parse(text || '{}');
      const words = [`${(bytes / 1e6).toFixed(0)} MB of replies`, `${closed} connections closed`];
      if (whole > 0) words.push(`${whole} pipelines whole`);
      if (errors > 0) words.push(`first error ${firstError}`);
      resolve(words.join(', '));
    }),
  );
}
