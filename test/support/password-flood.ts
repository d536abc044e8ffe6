import { connect, type Socket } from 'node:net';

const text = (words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;

/**
 * Guesses passwords at a RESP door as fast as it answers: `addresses` clients of this machine with a few connections each, half
 * of them with the name of `user`, the others with names that nobody has.
 */
export class PasswordFlood {
  private readonly sockets: Socket[] = [];
  private stopped = false;
  answers = 0;

  private constructor(
    private readonly port: number,
    private readonly user: string,
  ) {}

  static begin(
    port: number,
    user: string,
    { addresses = 16, connectionsOfEach = 8 }: { addresses?: number; connectionsOfEach?: number } = {},
  ): PasswordFlood {
    const flood = new PasswordFlood(port, user);
    for (let i = 0; i < addresses * connectionsOfEach; i++) flood.guess(i, i % addresses);
    return flood;
  }

  stop(): void {
    this.stopped = true;
    for (const socket of this.sockets) socket.destroy();
  }

  private guess(n: number, address: number): void {
    const localAddress = process.platform === 'linux' ? `127.0.1.${1 + address}` : '127.0.0.1';
    const socket = connect({ port: this.port, host: '127.0.0.1', localAddress });
    let guesses = 0;
    const next = (): void => {
      const name = n % 2 === 0 ? this.user : `nobody-${n}`;
      if (!this.stopped) socket.write(text(['AUTH', name, `guess-${n}-${++guesses}`]));
    };
    socket.on('connect', next);
    socket.on('data', (piece: Buffer) => {
      for (const byte of piece)
        if (byte === 10) {
          this.answers++;
          next();
        }
    });
    socket.on('error', () => undefined);
    // A door hangs up on who stays nobody for too long.
    socket.on('close', () => this.stopped || setTimeout(() => this.stopped || this.guess(n, address), 50));
    this.sockets.push(socket);
  }
}
