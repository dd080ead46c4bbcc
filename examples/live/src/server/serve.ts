import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Hub } from 'tidings';
import { createApp } from './app.ts';
import type { AppOptions } from './app.ts';
import { ConfigError } from './ops/config.ts';

export interface RunningServer {
  /** Like `http://127.0.0.1:3000`. */
  readonly url: string;
  readonly hub: Hub;
  readonly server: Server;
  /**
   * Stops taking connections, lets running requests finish, tells streams when to come back, then closes the database:
   * by `config.shutdownTimeout` at the latest. Later calls wait for the same end.
   */
  close(): Promise<void>;
}

/** Sockets beyond one for each stream: for requests, and for browsers that open some for later. */
const SPARE_SOCKETS = 5000;
/** The streams' share of the time for shutting down; the rest needs some too. */
const STREAMS_SHARE = 0.6;

/**
 * Serves the app on `config.port`.
 *
 * @throws ConfigError if the port or the log of events is not available
 */
export async function serve(options: AppOptions): Promise<RunningServer> {
  const { config, log } = options;
  const app = await createApp(options);
  const server = createServer(
    {
      // A sender that drips its headers or body is answered 408. Streams are answers: this ends none of them.
      headersTimeout: Math.min(config.requestTimeout, 10_000),
      requestTimeout: config.requestTimeout,
      connectionsCheckingInterval: Math.min(config.requestTimeout / 2, 5000),
    },
    app.app,
  );
  // Streams have limits of their own; this one also counts sockets that ask for nothing.
  server.maxConnections = config.connectionLimits.connections + SPARE_SOCKETS;
  const unused = trackUnused(server);
  try {
    await listen(server, config.port, config.host);
  } catch (error) {
    await app.close();
    throw explain(error as NodeJS.ErrnoException, config.port);
  }

  async function stop(): Promise<void> {
    app.drain();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const deadline = setTimeout(() => {
      log.warn('cutting connections that did not end in time');
      server.closeAllConnections();
    }, config.shutdownTimeout);
    await app.endStreams(config.shutdownTimeout * STREAMS_SHARE);
    server.closeIdleConnections();
    for (const socket of unused) socket.destroy();
    // From here no request can write, so nothing that was answered can be lost.
    await closed;
    clearTimeout(deadline);
    await app.close();
  }

  let stopping: Promise<void> | undefined;
  return {
    url: urlOf(server),
    hub: app.hub,
    server,
    close: () => (stopping ??= stop()),
  };
}

/** Sockets that no request came on: browsers open some for later, and Node does not count them as idle. */
function trackUnused(server: Server): ReadonlySet<Socket> {
  const unused = new Set<Socket>();
  server.on('connection', (socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  server.on('request', ({ socket }) => unused.delete(socket));
  return unused;
}

function listen(server: Server, port: number, host: string | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** The causes that the operator can fix, in words. */
function explain(error: NodeJS.ErrnoException, port: number): Error {
  if (error.code === 'EADDRINUSE') {
    const message = `Port ${port} is in use by another program: stop that, or set PORT to another number.`;
    return new ConfigError(message, { cause: error });
  }
  if (error.syscall !== 'listen' && error.syscall !== 'getaddrinfo') return error;
  return new ConfigError(`${error.message}\nSet PORT or HOST to what can be listened on.`, { cause: error });
}

function urlOf(server: Server): string {
  // Listening on a port, it has an address of this kind.
  const { address, family, port } = server.address() as AddressInfo;
  const host =
    address === '::' || address === '0.0.0.0' ? 'localhost' : family === 'IPv6' ? `[${address}]` : address;
  return `http://${host}:${port}`;
}
