import { type RequestListener, createServer } from 'node:http';
import { type Http2ServerRequest, type Http2ServerResponse, createSecureServer } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { type Handlers, answerCommands, collectGarbage } from '../harness/commands.ts';
import { createPublisher } from '../harness/publisher.ts';
import { makeCertificate, wireOf } from '../harness/wire.ts';

export interface Served {
  readonly connections: () => number;
  readonly send: (data: string, number: number) => unknown;
  /** Commands of this subject alone. */
  readonly handlers?: Handlers;
}

/** For requests of HTTP/1.1, or of HTTP/2 as if they were. */
export type AnyListener = RequestListener & ((req: Http2ServerRequest, res: Http2ServerResponse) => unknown);

/** The common part of the subjects in Node: a server of the requested wire, and the commands of the harness. */
export function serve({ listener, ...served }: Served & { readonly listener: RequestListener }): void {
  serveOn(() => createAnyServer(listener), served);
}

async function createAnyServer(listener: RequestListener): Promise<Server> {
  const wire = wireOf(process.argv);
  if (wire === 'http') return createServer(listener);
  const certificate = await makeCertificate();
  if (wire === 'tls') return createHttpsServer(certificate, listener);
  return createSecureServer(certificate, listener as AnyListener);
}

/** For a server of the subject's own. */
export function serveOn(
  create: () => Server | Promise<Server>,
  { connections, send, handlers = {} }: Served,
): void {
  const listening = Promise.resolve(create()).then(
    (server) => new Promise<Server>((resolve) => server.listen(0, '127.0.0.1', () => resolve(server))),
  );
  answerCommands({
    listen: async () => ({ port: ((await listening).address() as AddressInfo).port }),
    connections,
    publish: createPublisher(send),
    collectGarbage,
    ...handlers,
  });
}
