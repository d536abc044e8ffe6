import { EventEmitter } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { ByteStream, Network } from './network';
import { RespClient, type RespClientOptions } from './resp-client';
import { RequestParser } from './request-parser';
import { respServerLimits } from './resp-server-limits';
import { systemNetwork } from './system-network';

/** The server's end of a connection, as the test speaks it. */
class ScriptedStream extends EventEmitter {
  readonly writableLength = 0;
  destroyed = false;
  private readonly parser: RequestParser;

  constructor(onRequest: (stream: ScriptedStream, words: string[]) => void) {
    super();
    this.parser = new RequestParser((args) => {
      onRequest(this, args.map(String));
      return true;
    }, respServerLimits);
  }

  /** Sends even when the client has let go: what is in the pipe arrives all the same. */
  say(replies: string): void {
    this.emit('data', Buffer.from(replies));
  }

  write(bytes: Buffer): boolean {
    setImmediate(() => this.parser.push(bytes));
    return true;
  }

  destroy(): void {
    this.destroyed = true;
    setImmediate(() => this.emit('close'));
  }

  end(): void {}
  pause(): void {}
  resume(): void {}
  cork(): void {}
  uncork(): void {}
}

const cleanups: (() => void)[] = [];
afterEach(() => cleanups.splice(0).forEach((cleanup) => cleanup()));

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A client, and every connection that it makes. */
function scripted(onRequest: (stream: ScriptedStream, words: string[]) => void, options: RespClientOptions = {}) {
  const streams: ScriptedStream[] = [];
  const connect = (): ByteStream => {
    const stream = new ScriptedStream(onRequest);
    streams.push(stream);
    setImmediate(() => stream.emit('connect'));
    return stream;
  };
  const network: Network = { connect, listen: () => Promise.reject(new Error('nobody listens here')) };
  const limits = { backoffMinMs: 1, backoffMaxMs: 1 };
  const client = new RespClient({ host: 'h', port: 1 }, { network, limits, ...options });
  cleanups.push(() => client.close());
  return { streams, client };
}

const hello = {
  args: ['HI'],
  check: (reply: unknown) => (reply === 'HELLO' ? undefined : `${String(reply)} is no greeting`),
};

describe('replies behind one that the client gives its connection up for', () => {
  const greetings: readonly (readonly [string, RespClientOptions])[] = [
    ['with a greeting', { hello }],
    ['without', {}],
  ];

  it.each(greetings)('are not counted against the next connection, %s', async (_what, options) => {
    const { client, streams } = scripted((stream, [word]) => {
      if (word === 'HI') return stream.say('+HELLO\r\n');
      if (streams.length > 1) return stream.say(`+${word}\r\n`);
      // Three requests, answered in one piece; the first answer is found damaged.
      if (word === 'C') stream.say('+BAD\r\n+b\r\n+c\r\n+one too many\r\n');
    }, options);
    const answers: string[] = [];
    for (const word of ['A', 'B', 'C'])
      client.send([word], 20_000, (failure, reply) => {
        answers.push(`${word} ${failure?.code ?? String(reply)}`);
        if (reply === 'BAD') client.renew('damaged');
      });
    while (answers.length < 3) await tick();
    expect(answers).toEqual(['A BAD', 'B OUTCOME_UNKNOWN', 'C OUTCOME_UNKNOWN']);
    for (let i = 0; i < 20; i++) {
      while (!client.usable) await tick();
      expect([i, await client.request([`d${i}`], 20_000)]).toEqual([i, `d${i}`]);
    }
    expect([streams.length, client.outstanding]).toEqual([2, 0]);
  });

  it('greets with several commands in their order, and sends nothing else before all are answered well', async () => {
    const heard: string[][] = [];
    const say: Record<string, string> = { AUTH: '+OK\r\n', HI: '+HELLO\r\n' };
    const isOk = (reply: unknown): string | undefined =>
      reply === 'OK' || reply === 'HELLO' ? undefined : String(reply);
    const greetings = [
      { args: ['AUTH', 'ann', 'secret'], check: isOk },
      { args: ['HI'], check: isOk },
    ];
    const { client } = scripted(
      (stream, words) => {
        heard.push(words);
        stream.say(say[words[0] as string] ?? '+A\r\n');
      },
      { hello: greetings },
    );
    expect(await client.request(['A'], 20_000)).toBe('A');
    expect(heard).toEqual([['AUTH', 'ann', 'secret'], ['HI'], ['A']]);
    say['HI'] = '+ANOTHER\r\n';
    client.renew('the test says so');
    while (!client.usable) await tick();
    await expect(client.request(['B'], 20_000)).rejects.toMatchObject({ code: 'NOT_SENT' });
    expect(heard.slice(3)).toEqual([['AUTH', 'ann', 'secret'], ['HI']]);
  });

  it('nor are those that arrive while it pauses, or speaks to the next one already', async () => {
    let asked = false;
    const { client, streams } = scripted(
      (stream, [word]) => {
        if (word === 'HI') return stream.say('+HELLO\r\n');
        asked = true;
        if (streams.length > 1) stream.say(`+${word}\r\n`);
      },
      { hello },
    );
    const waiting = client.request(['A'], 20_000);
    while (!asked) await tick();
    client.renew('the test says so');
    await expect(waiting).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    streams[0]!.say('+late\r\n');
    while (!client.usable) await tick();
    const next = client.request(['B'], 20_000);
    streams[0]!.say('+later\r\n');
    streams[0]!.emit('connect');
    streams[0]!.emit('error', new Error('late'));
    expect(await next).toBe('B');
    expect(streams.length).toBe(2);
  });
});

it('an answer that came while this process had a pause counts, though its time is over', async () => {
  const server = createServer({ noDelay: true }, (socket) =>
    socket.on('data', () => {
      socket.write('+A\r\n');
      // Nobody reads meanwhile.
      const endMs = performance.now() + 500;
      while (performance.now() < endMs);
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => server.close());
  const limits = { stallMs: 50, backoffMinMs: 1, backoffMaxMs: 1 };
  const client = new RespClient({ host: '127.0.0.1', port: (server.address() as AddressInfo).port }, { limits });
  cleanups.push(() => client.close());
  for (let i = 0; i < 2; i++) expect(await client.request(['A'], 400)).toBe('A');
});

it('what others rest on is sent however much waits', async () => {
  const { client } = scripted((stream, [word]) => stream.say(`+${word}\r\n`), { limits: { requestsMax: 2 } });
  const answers = ['a', 'b', 'c', 'd'].map(
    (word, i) =>
      new Promise((resolve) =>
        client.send([word], 20_000, (no, reply) => resolve(no?.code ?? reply), i > 2 ? 'always' : undefined),
      ),
  );
  expect(await Promise.all(answers)).toEqual(['a', 'b', 'LIMIT', 'd']);
});

describe('an address that no socket takes', () => {
  it.each([
    ['a port that is no number', { host: '127.0.0.1', port: Number.NaN }],
    ['a port that is too high', { host: '127.0.0.1', port: 70_000 }],
    ['a port that is negative', { host: '127.0.0.1', port: -1 }],
  ])('%s: the request fails, certainly not sent, and nothing is thrown', async (_what, address) => {
    const client = new RespClient(address, { network: systemNetwork, limits: { backoffMinMs: 1, backoffMaxMs: 1 } });
    cleanups.push(() => client.close());
    for (let i = 0; i < 3; i++) {
      let isBack = false;
      const failure = await new Promise((resolve) => {
        client.send(['PING'], 20_000, (problem) => resolve(isBack ? problem : 'before send was back'));
        isBack = true;
      });
      expect(failure).toMatchObject({ code: 'NOT_SENT' });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  });
});
