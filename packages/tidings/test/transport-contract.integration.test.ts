import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createHub } from '../src/index.ts';
import { type OwnConnection, type Sink, gatewayOf, negotiate, readJson } from '../src/http/index.ts';
import { type TransportFactory, transportContract } from '../src/testing/index.ts';
import { stacks } from './http/stacks.ts';

describe.each(
  stacks.filter(({ name }) => /^(node:http|node:http, socket hijacked|Express|Fastify|Koa|Hono)$/.test(name)),
)('The transport of $name', (stack) => {
  const start: TransportFactory = async (hubOptions, options) => {
    const hub = createHub(hubOptions);
    const { address: _address, ...rest } = options;
    const { url, sockets } = await stack.start(hub, rest);
    const stop = async (): Promise<void> => {
      await hub.close({ within: 0 });
      for (const socket of sockets) socket.destroy();
    };
    return { hub, url: `${url}/events`, stop };
  };
  test.each(transportContract)('$name', ({ run }) => run(start));
});

type Break = (sink: Sink, connection: OwnConnection, res: ServerResponse) => Sink;

/** A correct transport, except for what `broken` changes. */
function startWith(
  broken: Break,
  forgets: 'nothing' | 'the peer' | 'the answer' = 'nothing',
): TransportFactory {
  return async (hubOptions, options) => {
    const hub = createHub({ ...hubOptions, onError: () => {} });
    const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
      const facts = {
        method: req.method ?? '',
        query: new URL(req.url ?? '/', 'http://localhost').searchParams,
        header: (name: string) => req.headers[name]?.toString(),
        remote: undefined,
        protocol: 'HTTP/1.1',
        json: () => readJson(req.iterator({ destroyOnReturn: false })),
        gone: () => res.destroyed,
      };
      const outcome = await negotiate(
        gatewayOf(hub),
        options,
        facts,
        req,
        ({ connection, headers, greeting }) => {
          res.writeHead(200, headers);
          res.on('drain', () => connection.drained());
          if (forgets !== 'the peer') res.on('close', () => connection.closed());
          const sink: Sink = {
            write: (bytes) => res.write(bytes),
            end: (bytes) => void res.end(bytes),
            destroy: () => void res.destroy(),
          };
          connection.open(broken(sink, connection, res), greeting);
        },
      );
      if (!('answer' in outcome)) return;
      const { status, headers, body } = outcome.answer;
      res.writeHead(forgets === 'the answer' ? 200 : status, headers).end(req.method === 'HEAD' ? '' : body);
    };
    const server = createServer((req, res) => {
      handle(req, res).catch(() => res.writeHead(500).end());
    });
    await new Promise<void>((resolve) => server.listen(0, resolve));
    const { port } = server.address() as AddressInfo;
    const stop = async (): Promise<void> => {
      await hub.close({ within: 0 });
      server.closeAllConnections();
      server.close();
    };
    return { hub, url: `http://localhost:${port}/events`, stop };
  };
}

const asItIs: Break = (sink) => sink;

describe('The contract catches a transport that', () => {
  // Side by side: most of them are noticed by something that never comes.
  test.concurrent.each<[string, TransportFactory, string]>([
    [
      'ignores backpressure',
      startWith((sink) => ({ ...sink, write: (bytes) => (sink.write(bytes), true) })),
      'keeps little',
    ],
    [
      'loses the last bytes',
      startWith((sink, _connection, res) => ({ ...sink, end: () => void res.end() })),
      'ends a stream with all',
    ],
    [
      'never ends',
      startWith((sink) => ({ ...sink, end: (bytes) => void sink.write(bytes) })),
      'ends a stream with all',
    ],
    [
      'is done before its peer has everything',
      startWith((sink, connection) => ({ ...sink, end: (bytes) => (sink.end(bytes), connection.closed()) })),
      'makes a closing hub wait',
    ],
    ['does not notice that peers leave', startWith(asItIs, 'the peer'), 'forgets a peer'],
    [
      'writes everything twice',
      startWith((sink) => ({ ...sink, write: (bytes) => (sink.write(bytes), sink.write(bytes)) })),
      'sends welcome',
    ],
    ['holds bytes back', startWith((sink) => delayed(sink)), 'sends welcome'],
    ['answers everything 200', startWith(asItIs, 'the answer'), 'sends refusals'],
    [
      'does not cut off a stalled peer',
      startWith((sink) => ({ ...sink, destroy: () => sink.end(new Uint8Array()) })),
      'drops a peer',
    ],
  ])('%s', async (_what, start, expected) => {
    const found = transportContract.find(({ name }) => name.startsWith(expected));
    await expect(found?.run(start)).rejects.toThrow();
  });
});

test('The contract passes a correct transport', async () => {
  for (const { run } of transportContract) await run(startWith(asItIs));
});

/** One write behind. */
function delayed(sink: Sink): Sink {
  let kept: Uint8Array | undefined;
  return {
    ...sink,
    write(bytes) {
      const before = kept;
      kept = bytes;
      return before === undefined || sink.write(before);
    },
  };
}
