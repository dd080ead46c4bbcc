import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { openDatabase } from './database.ts';

/** A connection of a pool that listens only to idle ones, as that of `pg` does. */
class Client extends EventEmitter {
  readonly released: (boolean | undefined)[] = [];
  answer: Promise<unknown> = Promise.resolve({ rows: [['1']] });
  query(): Promise<unknown> {
    return this.answer;
  }
  release(destroy?: boolean): void {
    this.released.push(destroy);
  }
}

function poolOf(client: Client) {
  return Object.assign(new EventEmitter(), { options: {}, connect: () => Promise.resolve(client) });
}

const open = (client: Client) => openDatabase({ pool: poolOf(client), connections: 1, timeout: 1000 });

test('a connection that is given up may still report an error', async () => {
  const client = new Client();
  client.answer = Promise.reject(new Error('read ECONNRESET'));
  const database = await open(client);
  await expect(database.run('SELECT 1')).rejects.toMatchObject({ code: 'log/unavailable' });
  expect(client.released).toEqual([true]);
  expect(() => client.emit('error', new Error('terminating connection'))).not.toThrow();
});

test('so may one that is given up because it may lead to another server', async () => {
  const [old, fresh] = [new Client(), new Client()];
  const pool = poolOf(old);
  const database = await openDatabase({ pool, connections: 1, timeout: 1000 });
  database.renew();
  pool.connect = () => {
    const next = old.released.length === 0 ? old : fresh;
    if (next === fresh) pool.emit('connect', fresh);
    return Promise.resolve(next);
  };
  expect(await database.run('SELECT 1')).toEqual([['1']]);
  expect(old.released).toEqual([true]);
  expect(() => old.emit('error', new Error('terminating connection'))).not.toThrow();
});

test('a connection goes back to its pool with no listener left', async () => {
  const client = new Client();
  const database = await open(client);
  expect(await database.run('SELECT 1')).toEqual([['1']]);
  expect(client.released).toEqual([false]);
  expect(client.listenerCount('error')).toBe(0);
});

test('a connection may report an error before anybody has it', async () => {
  const client = new Client();
  const pool = poolOf(client);
  pool.connect = () => {
    pool.emit('connect', client);
    const connecting = Promise.resolve(client);
    client.emit('error', new Error('terminating connection'));
    return connecting;
  };
  const database = await openDatabase({ pool, connections: 1, timeout: 1000 });
  expect(await database.run('SELECT 1')).toEqual([['1']]);
  await new Promise(setImmediate);
  expect(client.listenerCount('error')).toBe(0);
});
