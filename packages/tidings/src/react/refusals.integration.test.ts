import { describe, expect, it } from 'vitest';
import { until } from '../../test/http/deadline.ts';
import { startNode } from '../../test/http/hub.ts';
import { connect } from '../client/index.ts';
import { systemTimers } from '../client/timers.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';
import { forbidden } from '../index.ts';
import { createStore, PLAIN, type Store } from './store.ts';

const deaf = { begins: () => undefined, refused: () => undefined };

function storeOf(url: string, errors: TidingsError[] = []): Store {
  const store = createStore(
    {
      owned: true,
      open: (topics, cursor) => connect(url, { topics, cursor }),
      onError: (error) => errors.push(error),
    },
    systemTimers,
  );
  store.connection.start();
  return store;
}

describe('hooks on a hub', () => {
  it('go on without a topic of the first request that is refused', async () => {
    const { url, hub } = await startNode({
      authorize: (_, wanted) => {
        if (wanted.includes('secret')) throw forbidden();
        return {};
      },
    });
    const errors: TidingsError[] = [];
    const { connection } = storeOf(url, errors);
    const stops = ['secret', 'a', 'b'].map((topic) => connection.hold([topic], deaf));
    await until('topics', () => hub.connections()[0]?.topics.length === 2);
    await until('connection', () => connection.state.get().status === 'open');
    expect(connection.state.get().error).toMatchObject({ code: 'auth/forbidden' });
    expect(errors.map(({ code }) => code)).toEqual(['auth/forbidden']);
    for (const stop of stops) stop();
    await until('end', () => connection.state.get().status === 'idle');
  });

  it('wait for a topic if the URL is for nothing by itself', async () => {
    const { url, hub } = await startNode();
    const { connection } = storeOf(url);
    const stops = [connection.hold([], deaf)];
    await until('refusal', () => connection.state.get().status === 'failed');
    expect(connection.state.get().error?.details['code']).toBe('topic/missing');
    stops.push(connection.hold(['a'], deaf));
    await until('connection', () => connection.state.get().status === 'open');
    expect(hub.connections()[0]?.topics).toEqual(['a']);
    for (const stop of stops) stop();
    await until('end', () => connection.state.get().status === 'idle');
  });

  it('reduce what the hub sends to one connection', async () => {
    const { url, hub } = await startNode();
    const { reduced } = storeOf(url);
    const sum = reduced<number>({
      types: ['n'],
      topics: ['a'],
      hearing: PLAIN,
      initial: 0,
      cursor: undefined,
    });
    sum.use(
      (state, event) => state + event.json<number>(),
      () => Promise.resolve({ state: 0, cursor: hub.cursor() }),
    );
    const stop = sum.subscribe(() => undefined);
    await until('state', () => hub.connections().length === 1 && !sum.get().loading);
    await hub.publish('a', 1, { type: 'n' });
    await until('event', () => sum.get().state === 1);
    const id = hub.connections()[0]?.id ?? '';
    hub.send(id, { type: 'n', data: 10 });
    await until('sent event', () => sum.get().state === 11);
    stop();
  });
});
