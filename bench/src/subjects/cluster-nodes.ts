/** Servers of which several share an engine: each can be published to, and read from. */
import { spawnSync } from 'node:child_process';
import { get } from 'node:http';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { io } from 'socket.io-client';
import { launch, startNode, until } from '../harness/child.ts';
import { type Engine, hasPostgres, hasRedis, startPostgres, startRedis } from '../harness/engines.ts';
import { type EventReader, createEventReader, readEvents } from '../harness/event-reader.ts';
import { makeFolder, removeFolder } from '../harness/folders.ts';
import { freePort } from '../harness/free-port.ts';
import type { Candidate } from '../harness/suite.ts';
import type { NodeCase } from './workers/node.ts';
import { type PublishLoad, type PublishResult, TOPIC } from './workers/load-publisher.ts';

export interface ClusterNode {
  /** The server’s own process. */
  readonly pid: number;
  publish(load: PublishLoad): Promise<PublishResult>;
  /** One event. @returns milliseconds until the engine had it. */
  publishOne(): Promise<number>;
  connect(): Promise<EventReader>;
  stop(): Promise<void>;
}

/** A log of ours, which can be asked more. */
export interface TidingsNode extends ClusterNode {
  /** One event, again and again until it is in the log. */
  publishAtLast(): Promise<number>;
  /** The bytes that the log takes in its engine. */
  size(): Promise<number>;
}

export interface ClusterSubject<Node extends ClusterNode = ClusterNode> extends Candidate {
  startEngine(): Promise<Engine>;
  startNode(url: string): Promise<Node>;
}

const noRedis: Pick<Candidate, 'missing'> = hasRedis ? {} : { missing: 'there is no redis-server' };
const noPostgres: Pick<Candidate, 'missing'> = hasPostgres ? {} : { missing: 'there is no PostgreSQL' };

export const onRedis: ClusterSubject<TidingsNode> = {
  name: 'tidings, Redis',
  ...noRedis,
  startEngine: () => startRedis(),
  startNode: (url) => startTidings({ engine: 'redis', url }),
};

export const onPostgres: ClusterSubject<TidingsNode> = {
  name: 'tidings, PostgreSQL',
  ...noPostgres,
  startEngine: () => startPostgres(),
  startNode: (url) => startTidings({ engine: 'postgres', url }),
};

export const onRelaxedPostgres: ClusterSubject<TidingsNode> = {
  ...onPostgres,
  name: 'tidings, PostgreSQL, synchronous_commit = off',
  startEngine: () => startPostgres('synchronous_commit=off'),
};

export const socketIo: ClusterSubject = {
  name: 'socket.io, Redis streams',
  ...noRedis,
  startEngine: () => startRedis(),
  startNode: startSocketIo,
};

const hasCentrifugo = spawnSync('centrifugo', ['version']).status === 0;
export const centrifugo: ClusterSubject = {
  name: 'centrifugo, Redis',
  ...(hasCentrifugo ? noRedis : { missing: 'there is no centrifugo on the PATH' }),
  startEngine: () => startRedis(),
  startNode: startCentrifugo,
};

async function startTidings(given: NodeCase): Promise<TidingsNode> {
  const child = startNode('node', 'subjects/workers/node.js', 'both');
  const port = await child.ask<number>('listen', given);
  return {
    pid: child.pid,
    publish: (load) => child.ask('publish', load),
    publishOne: () => child.ask('publishOne'),
    publishAtLast: () => child.ask('publishAtLast'),
    size: () => child.ask('size'),
    connect: () => readEvents(port, `/?topic=${TOPIC}`),
    stop: child.stop,
  };
}

async function startSocketIo(url: string): Promise<ClusterNode> {
  const child = startNode('node', 'subjects/workers/socket-io.js', 'both');
  const port = await child.ask<number>('listen', { url });
  return {
    pid: child.pid,
    publish: (load) => child.ask('publish', load),
    publishOne: () => child.ask('publishOne'),
    async connect() {
      const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'] });
      const reader = createEventReader(() => socket.close());
      socket.on('event', (data: string) => reader.take(Buffer.from(`${data}\n`)));
      await until('socket.io connects', () => socket.connected);
      return reader;
    },
    stop: child.stop,
  };
}

/** With history and recovery on: as much as a log of Tidings keeps by default. */
async function startCentrifugo(url: string): Promise<ClusterNode> {
  const folder = makeFolder();
  const port = await freePort();
  const config = {
    engine: { type: 'redis', redis: { address: url } },
    http_server: { address: '127.0.0.1', port: String(port) },
    http_api: { insecure: true },
    health: { enabled: true },
    uni_sse: { enabled: true },
    log: { level: 'error' },
    client: { insecure: true },
    channel: {
      without_namespace: { history_size: 100_000, history_ttl: '1h', force_recovery: true },
    },
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const server = launch({
    name: 'centrifugo',
    command: ['centrifugo', '--config', join(folder, 'config.json')],
    core: 'both',
  });
  await until('Centrifugo listens', () => {
    server.assertRunning();
    return isHealthy(port);
  });
  const publisher = startNode('publisher', 'subjects/workers/centrifugo-publisher.js', 'both');
  await publisher.ask('listen', { port });
  const request = encodeURIComponent(JSON.stringify({ subs: { [TOPIC]: {} } }));
  return {
    pid: server.pid,
    publish: (load) => publisher.ask('publish', load),
    publishOne: () => publisher.ask('publishOne'),
    connect: () => readEvents(port, `/connection/uni_sse?cf_connect=${request}`),
    async stop() {
      await publisher.stop();
      await server.stop();
      removeFolder(folder);
    },
  };
}

function isHealthy(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ port, host: '127.0.0.1', path: '/health', agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('error', () => resolve(false));
  });
}
