import type { FastifyRequest } from 'fastify';
import { pino } from 'pino';
import type { ConnectionEnd, ConnectionInfo } from 'tidings';
import { expect, test } from 'vitest';
import { collectGarbage } from '../../../tidings/test/collect-garbage.ts';
import { createObservers } from './observers.ts';

const connection = { id: 'a' } as ConnectionInfo;
const end = { reason: 'left' } as unknown as ConnectionEnd;

test('A stream that goes on keeps nothing of the request that began it', async () => {
  const observers = createObservers(pino({ level: 'silent' }));
  const ended: string[] = [];
  observers.add({
    connected:
      ({ id }) =>
      () =>
        void ended.push(id),
  });
  let request: FastifyRequest | undefined = { method: 'GET' } as FastifyRequest;
  const weak = new WeakRef(request);
  const tell = observers.connected(connection, request);
  request = undefined;
  // A weak reference lasts until the end of the job that made it.
  await new Promise(setImmediate);
  collectGarbage();
  expect(weak.deref()).toBeUndefined();
  tell(end);
  expect(ended).toEqual(['a']);
});

test('An observer that throws harms neither the others nor the stream', () => {
  const observers = createObservers(pino({ level: 'silent' }));
  const told: string[] = [];
  const fail = (): never => {
    throw new Error('made on purpose');
  };
  observers.add({ connected: fail, published: fail });
  observers.add({ connected: () => fail });
  observers.add({
    connected: () => () => void told.push('ended'),
    published: () => void told.push('published'),
  });
  observers.connected(connection, {} as FastifyRequest)(end);
  observers.published([], [], {} as never);
  expect(told).toEqual(['ended', 'published']);
});
