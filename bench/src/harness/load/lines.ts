import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import type { ReaderOptions } from './reader.ts';

/** Processes the bytes that a reader receives. */
export interface LineHandlers {
  /** Into this, all lines are read. */
  readonly buffer: Buffer;
  /** The request, for HTTP/1.1. */
  readonly head: string;
  /** So many bytes are in the buffer. @returns false to read no further. */
  readonly onRead: (length: number) => boolean;
  /** Over HTTP/2: the response has begun. Otherwise its head is among the bytes read. */
  readonly onResponse: (status: number | undefined) => void;
}

const HOST = '127.0.0.1';

/** Opens a connection, or a stream of a session, and asks for the events. */
export function openLine(options: ReaderOptions, handlers: LineHandlers): Duplex {
  const { port, path, wire, session } = options;
  if (wire === 'http') {
    const { buffer, onRead, head } = handlers;
    const socket = connect({ port, host: HOST, noDelay: true, onread: { buffer, callback: onRead } });
    socket.on('connect', () => socket.write(head));
    return socket;
  }
  if (wire === 'tls') {
    const socket = connectTls({ port, host: HOST, rejectUnauthorized: false });
    socket.setNoDelay(true);
    socket.on('secureConnect', () => socket.write(handlers.head));
    return copied(socket, handlers);
  }
  if (session === undefined) throw new Error('A stream of HTTP/2 needs a session.');
  const stream = session.request({ ':path': path, accept: 'text/event-stream' });
  stream.on('response', ({ ':status': status }) => handlers.onResponse(status));
  return copied(stream, handlers);
}

/** Decrypted bytes come in buffers of their own. */
function copied(stream: Duplex, { buffer, onRead }: LineHandlers): Duplex {
  return stream.on('data', (bytes: Buffer) => {
    let goesOn = true;
    for (let at = 0; at < bytes.length; at += buffer.length) {
      goesOn = onRead(bytes.copy(buffer, 0, at));
    }
    if (!goesOn) stream.pause();
  });
}

export function openSession(port: number): ClientHttp2Session {
  const session = connectHttp2(`https://${HOST}:${port}`, { rejectUnauthorized: false });
  // Its streams report it, too.
  session.on('error', () => session.destroy());
  return session;
}
