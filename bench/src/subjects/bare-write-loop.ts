/**
 * The least that Node can do over TLS: the bytes of each event, made once, to `socket.write` of each connection, without
 * an HTTP server; over HTTP/2 to `stream.write` of each stream.
 */
import { createSecureServer } from 'node:http2';
import type { Server } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import { makeCertificate, wireOf } from '../harness/wire.ts';
import { serveOn } from './serve.ts';

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n';
const clients = new Set<Duplex>();

function add(client: Duplex): void {
  clients.add(client);
  client.on('close', () => clients.delete(client));
  client.on('error', () => client.destroy());
}

async function createBareServer(): Promise<Server> {
  const certificate = await makeCertificate();
  if (wireOf(process.argv) === 'http2') {
    const server = createSecureServer(certificate);
    server.on('stream', (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
      add(stream);
    });
    return server;
  }
  return createTlsServer(certificate, (socket) => {
    socket.setNoDelay(true);
    socket.once('data', () => {
      socket.write(HEAD);
      add(socket);
    });
  });
}

serveOn(createBareServer, {
  connections: () => clients.size,
  send(data, number) {
    const bytes = Buffer.from(`id: ${number}\ndata: ${data}\n\n`);
    for (const client of clients) client.write(bytes);
  },
});
