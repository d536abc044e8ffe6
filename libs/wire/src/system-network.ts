import { connect, createServer, type AddressInfo } from 'node:net';
import { backlog, type Network } from './network';

/** TCP without delays of small writes. */
export const systemNetwork: Network = {
  connect: ({ host, port }) => connect({ host, port, noDelay: true }),
  listen: ({ host, port }, accept) =>
    new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true, allowHalfOpen: true }, accept);
      server.once('error', reject);
      server.listen({ port, host, backlog }, () =>
        resolve({
          port: (server.address() as AddressInfo).port,
          close: () => new Promise((closed) => server.close(() => closed())),
        }),
      );
    }),
};
