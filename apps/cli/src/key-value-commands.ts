import { printable } from '@levee/codec';
import { messageOf } from '@levee/kernel';
import { Command, Option } from 'commander';
import { writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { durationMs, type KeyEncoding, keyBytes, keyEncodings, percentEncode, positiveNumber } from './arguments';
import { CliFailure, usageFailure } from './exit';
import { oneLine, type Output, type Row } from './output';
import type { Tools, ToolsOf } from './command-tools';
import { readAll } from './terminal';
import { VisitedChunks } from './visited-chunks';

interface KeyOptions {
  readonly namespace: string;
  readonly keyEncoding: KeyEncoding;
  readonly session?: string;
}
type WriteOptions = KeyOptions & { readonly ack?: string; readonly ttl?: number };
type ReadOptions = KeyOptions & { readonly consistency?: string };
type GetOptions = ReadOptions & {
  readonly raw?: boolean;
  readonly base64?: boolean;
  readonly file?: string;
  readonly decode?: boolean;
};
type ScanOptions = KeyOptions & {
  readonly from?: string;
  readonly to?: string;
  readonly prefix?: string;
  readonly limit?: number;
  readonly cursor?: string;
  readonly keysOnly?: boolean;
  readonly visited?: boolean;
  readonly decode?: boolean;
};

/** Most entries a portal gives at once. */
const pageMax = 1_000_000;
/** Values read from standard input; the portal has its own, lower limit and names it. */
const inputBytesMax = 16 * 1024 * 1024;

export function addKeyValueCommands(program: Command, toolsOf: ToolsOf): void {
  withKeyOptions(program.command('get <key>'))
    .description('print the value of a key')
    .addOption(consistencyOption())
    .option('--raw', 'write the bytes of the value to standard output and nothing else')
    .option('--base64', 'print the value as base64')
    .option('--file <path>', 'write the bytes of the value to a file')
    .option('--decode', 'print the value as JSON, where its bytes or a schema registry tell how')
    .action(async (key: string, options: GetOptions, command: Command) => {
      const { output, portal } = toolsOf(command);
      const shapes = [options.raw, options.base64, options.file, options.decode];
      if (shapes.filter((chosen) => chosen !== undefined).length > 1)
        throw usageFailure('choose one of --raw, --base64, --file and --decode');
      const reply = await portal.send({
        path: pathOf(key, options),
        headers: {
          'levee-consistency': options.consistency,
          'levee-session': options.session,
          accept: options.decode ? 'application/json' : undefined,
        },
      });
      const { body: value, headers } = reply;
      const problem = headers['levee-not-decoded'];
      if (typeof problem === 'string') await output.note(`not decoded: ${oneLine(problem)}`);
      if (options.raw) await output.raw(value);
      else if (options.file !== undefined) {
        writeValue(options.file, value);
        await output.value(
          { key, file: options.file, bytes: value.length, ...facts(headers) },
          `ok ${value.length} bytes`,
        );
      } else if (headers['content-type']?.startsWith('application/json')) {
        const jsonText = value.toString('utf8');
        await output.value({ key, jsonText, ...facts(headers) }, jsonText);
      } else await printValue(output, { key, value, headers, asBase64: options.base64 === true });
    });

  withWriteOptions(program.command('put <key> [value]'))
    .description('set a key; without a value, or with -, standard input is the value')
    .option('--ttl <duration>', 'time after which the key is gone', durationMs)
    .action(async (key: string, value: string | undefined, options: WriteOptions, command: Command) => {
      const { output, portal, terminal } = toolsOf(command);
      const path = pathOf(key, options);
      const body = value === undefined || value === '-' ? await readAll(terminal, inputBytesMax) : Buffer.from(value);
      if (body === undefined)
        throw new CliFailure('LVLIMIT', `the value on standard input has more than ${inputBytesMax} bytes`);
      const { headers } = await portal.send({
        method: 'PUT',
        path,
        body,
        headers: {
          'content-type': 'application/octet-stream',
          'levee-ack': options.ack,
          'levee-session': options.session,
          // Not the time it ends: the clock here may be another.
          'levee-ttl': options.ttl === undefined ? undefined : `${options.ttl}ms`,
        },
      });
      await output.value({ key, ...facts(headers) }, writtenText(headers));
    });

  withWriteOptions(program.command('del <key...>'))
    .description('delete keys, one after the other')
    .action(async (keys: string[], options: WriteOptions, command: Command) => {
      const { output, portal } = toolsOf(command);
      const paths = keys.map((key) => pathOf(key, options));
      const deleted = output.list();
      try {
        for (const [i, path] of paths.entries()) {
          const { headers } = await portal.send({
            method: 'DELETE',
            path,
            headers: { 'levee-ack': options.ack, 'levee-session': options.session },
          });
          await deleted.row({ key: keys[i], ...facts(headers) }, writtenText(headers));
        }
      } finally {
        await deleted.end();
      }
    });

  withKeyOptions(program.command('scan'))
    .description('print keys and values in the order of the keys')
    .addOption(consistencyOption())
    .option('--from <key>', 'first key')
    .option('--to <key>', 'key to stop before')
    .option('--prefix <key>', 'only keys that begin so')
    .option('--limit <count>', 'most entries', positiveNumber)
    .option('--cursor <token>', 'go on where an earlier scan stopped')
    .option('--keys-only', 'leave the values out')
    .option('--decode', 'values as JSON, where their bytes or a schema registry tell how')
    .option('-v, --visited', 'say at the end which chunks were looked into, and which nodes answered')
    .action(async (options: ScanOptions & ReadOptions, command: Command) => {
      const tools = toolsOf(command);
      const entries = tools.output.list();
      let rest: ScanRest;
      try {
        rest = await scanned(tools, options, entries);
        if (options.visited === true && tools.output.format !== 'text')
          await entries.row({ visited: rest.visited.rows }, '');
      } finally {
        await entries.end();
      }
      const { cursor, unreadable, visited } = rest;
      if (tools.output.format === 'text') for (const line of visited.lines) await tools.output.note(line);
      if (cursor !== undefined) await tools.output.note(`there is more: --cursor ${cursor}`);
      if (unreadable > 0)
        throw new CliFailure('LVUNREADABLE', `${unreadable} of the values could not be read; the lines above say why`);
    });
}

interface ScanRest {
  /** Where to go on; `undefined` = that was all. */
  readonly cursor: string | undefined;
  readonly unreadable: number;
  /** Empty when nobody asked for them. */
  readonly visited: VisitedChunks;
}

/** Prints entry after entry, over the pages of the portal. */
async function scanned(
  { output, portal }: Tools,
  options: ScanOptions & ReadOptions,
  entries: ReturnType<Output['list']>,
): Promise<ScanRest> {
  const bound = (key: string | undefined): string | undefined =>
    key === undefined ? undefined : percentEncode(bytesOf(key, options.keyEncoding));
  let left = options.limit ?? Infinity;
  let cursor = options.cursor;
  let unreadable = 0;
  const visited = new VisitedChunks();
  do {
    const before = cursor;
    cursor = undefined;
    const range = [
      ['from', bound(options.from)],
      ['to', bound(options.to)],
      ['prefix', bound(options.prefix)],
      ['limit', left === Infinity ? undefined : String(Math.min(left, pageMax))],
      ['keysOnly', options.keysOnly ? '1' : undefined],
      ['visited', options.visited ? '1' : undefined],
      ['decode', options.decode ? 'text' : undefined],
      ['cursor', before === undefined ? undefined : encodeURIComponent(before)],
    ].flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
    // Not through `query`: keys are bytes, which that would encode once more.
    const query = range.length > 0 ? `?${range.join('&')}` : '';
    for await (const line of portal.lines({
      path: `/v1/kv/${encodeURIComponent(options.namespace)}${query}`,
      headers: { 'levee-consistency': options.consistency, 'levee-session': options.session },
    })) {
      if ('cursor' in line) {
        cursor = typeof line['cursor'] === 'string' ? line['cursor'] : undefined;
        visited.add(line['visited']);
      } else if (typeof line['code'] === 'string') throw new CliFailure(line['code'], String(line['message']));
      else {
        left--;
        if (!(await printEntry(output, { entries, entry: line, keysOnly: options.keysOnly === true }))) unreadable++;
      }
    }
  } while (cursor !== undefined && left > 0);
  return { cursor, unreadable, visited };
}

const withKeyOptions = (command: Command): Command =>
  command
    .option('-n, --namespace <name>', 'namespace of the keys', 'default')
    .addOption(
      new Option('--key-encoding <encoding>', 'how keys are written here').choices(keyEncodings).default('utf8'),
    )
    .option('--session <token>', 'session of an earlier answer, whose writes and reads must be seen');

const withWriteOptions = (command: Command): Command =>
  withKeyOptions(command).addOption(
    new Option('--ack <when>', 'when a write is answered (default: as the namespace says)').choices([
      'logged',
      'primary',
      'all',
    ]),
  );

const consistencyOption = (): Option =>
  new Option('--consistency <level>', 'what a read may miss (default: as the namespace says)').choices([
    'eventual',
    'session',
    'strong',
  ]);

function bytesOf(key: string, encoding: KeyEncoding): Buffer {
  const bytes = keyBytes(key, encoding);
  if (bytes === undefined) throw usageFailure(`'${key}' is not ${encoding} (--key-encoding)`);
  return bytes;
}

function pathOf(key: string, options: KeyOptions): string {
  const bytes = bytesOf(key, options.keyEncoding);
  if (bytes.length === 0) throw usageFailure('a key has at least one byte');
  return `/v1/kv/${encodeURIComponent(options.namespace)}/${percentEncode(bytes)}`;
}

/** What the reply's headers tell besides the value. */
function facts(headers: IncomingHttpHeaders): Row {
  const expiresAt = headers['levee-expires-at'];
  const schemaId = headers['levee-schema-id'];
  return {
    position: headers['levee-position'],
    session: headers['levee-session'],
    ...(typeof schemaId === 'string' ? { schemaId: Number(schemaId) } : {}),
    ...(typeof expiresAt === 'string' ? { expiresAtMs: Number(expiresAt) } : {}),
  };
}

interface GotValue {
  readonly key: string;
  readonly value: Buffer;
  readonly headers: IncomingHttpHeaders;
  readonly asBase64: boolean;
}

async function printValue(output: Output, { key, value, headers, asBase64 }: GotValue): Promise<void> {
  const text = asBase64 ? undefined : printable(value);
  if (text === undefined && !asBase64 && output.format === 'text')
    throw new CliFailure(
      'NOT_PRINTABLE',
      `the value of ${key} has ${value.length} bytes that are no text: --file <path> writes them to a file, --raw to ` +
        'standard output, --base64 prints them so',
    );
  const shown = text === undefined ? { valueBase64: value.toString('base64') } : { value: text };
  await output.value({ key, ...shown, ...facts(headers) }, shown.value ?? shown.valueBase64);
}

function writeValue(file: string, value: Buffer): void {
  try {
    writeFileSync(file, value);
  } catch (error) {
    throw new CliFailure('FILE_UNUSABLE', `${file} cannot be written: ${messageOf(error)}`);
  }
}

function writtenText(headers: IncomingHttpHeaders): string {
  const { position } = facts(headers);
  return typeof position === 'string' ? `ok ${position}` : 'ok';
}

/** False for an entry whose value cannot be read: its key is there, and the reason. */
async function printEntry(
  output: Output,
  of: { readonly entries: ReturnType<Output['list']>; readonly entry: Row; readonly keysOnly: boolean },
): Promise<boolean> {
  const { entries, entry } = of;
  const key = shown(entry['key'], entry['keyBase64']);
  const { value, valueBase64, ...rest } = entry;
  if (typeof entry['error'] === 'string') {
    if (output.format === 'text') await output.note(`${key}\t${oneLine(entry['error'])}`);
    else await entries.row(entry, '');
    return false;
  }
  if (of.keysOnly) await entries.row(rest, key);
  else await entries.row(entry, `${key}\t${shown(entry['jsonText'] ?? value, valueBase64)}`);
  if (output.format === 'text' && typeof entry['notDecoded'] === 'string')
    await output.note(`${key}\tnot decoded: ${oneLine(entry['notDecoded'])}`);
  return true;
}

/** Text on one line, so that a value cannot pose as another entry. */
const shown = (text: unknown, base64: unknown): string =>
  typeof text === 'string' ? oneLine(text) : `base64:${String(base64)}`;
