import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Session } from '@levee/keyspace';
import { RequestParser, respServerLimits } from '@levee/wire';

/** `undefined`: never. */
type Answer = string | undefined | Promise<string | undefined>;

/** A door that says what a test wants it to say, in the order of the commands of a connection. */
export class ScriptedPortal {
  /** On the data of the namespace, as they came. */
  readonly commands: string[][] = [];
  /** What connections were told with LV.POS. */
  readonly joins: string[] = [];
  incarnation = 'first';
  /** Of which log sessions are. */
  scope = { namespace: 'shop.orders', binlog: 'levee.binlog.shop.orders', partitions: 4 };
  /** PING is not answered, and nothing else. */
  silent = false;
  script: (words: readonly string[]) => Answer = () => '+0:1\r\n';
  useAnswer = '+OK\r\n';
  helloAnswer = '%0\r\n';
  pingAnswer = '+PONG\r\n';
  /** To an LV.POS with a token, in place of the session. */
  joinAnswer: (token: string) => string | undefined = () => undefined;
  private readonly sockets = new Set<Socket>();
  /** Nothing comes through them any more, either way. */
  private readonly dead = new WeakSet<Socket>();
  /** On which a namespace was chosen. */
  private readonly ofData = new WeakSet<Socket>();
  private server: Server | undefined;
  port = 0;

  static async start(script?: ScriptedPortal['script']): Promise<ScriptedPortal> {
    const portal = new ScriptedPortal();
    if (script) portal.script = script;
    await portal.listen();
    return portal;
  }

  get name(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** At the same port as before. */
  async listen(): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => this.serve(socket));
    this.server = server;
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
  }

  /** Of commands on data, so many have come. */
  async received(count: number): Promise<void> {
    while (this.commands.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  /** Connections of now become deaf and dumb, without an end: all of them, or those on which keys are asked for. */
  deafen(which: 'all' | 'data'): void {
    for (const socket of this.sockets) if (which === 'all' || this.ofData.has(socket)) this.dead.add(socket);
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    const closed = server && new Promise((resolve) => server.close(resolve));
    this.cut();
    await closed;
  }

  private serve(socket: Socket): void {
    this.sockets.add(socket);
    let before: Promise<unknown> = Promise.resolve();
    const parser = new RequestParser((args) => {
      if (this.dead.has(socket)) return true;
      if (String(args[0]) === 'LV.USE') this.ofData.add(socket);
      const answer = this.answer(args.map(String));
      before = before.then(async () => {
        const text = await answer;
        if (text === undefined || this.silent) await new Promise(() => undefined);
        if (!socket.destroyed && !this.dead.has(socket)) socket.write(text as string);
      });
      return true;
    }, respServerLimits);
    socket.on('data', (bytes) => parser.push(bytes));
    socket.on('error', () => undefined);
    socket.on('close', () => this.sockets.delete(socket));
  }

  private ownSession(): string {
    return `%1\r\n+session\r\n+${new Session(this.scope).encode()}\r\n`;
  }

  private answer(words: string[]): Answer {
    switch (words[0]) {
      case 'HELLO':
        return this.helloAnswer;
      case 'PING':
        return this.pingAnswer;
      case 'CLIENT':
        return '+OK\r\n';
      case 'LV.USE':
        return this.useAnswer;
      case 'LV.DOOR':
        return `%2\r\n+incarnation\r\n+${this.incarnation}\r\n+version\r\n:1\r\n`;
      case 'LV.POS':
        if (words[1] === undefined) return this.ownSession();
        this.joins.push(words[1]);
        return this.joinAnswer(words[1]) ?? this.ownSession();
      default:
        this.commands.push(words);
        return this.script(words);
    }
  }
}

/** The answer to LV.GET. */
export const found = (value: string, position = '0:1'): string =>
  `*3\r\n$${value.length}\r\n${value}\r\n+${position}\r\n:0\r\n`;
