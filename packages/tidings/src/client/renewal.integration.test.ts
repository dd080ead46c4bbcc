import { describe, expect, it } from 'vitest';
import { serveExchanges, welcome } from '../../test/client/exchanges.ts';
import { observe } from '../../test/client/observed.ts';
import { turn, until } from '../../test/http/deadline.ts';
import { startNode } from '../../test/http/hub.ts';
import { systemClock } from '../hub/clock.ts';
import { unauthorized } from '../index.ts';

const MINUTE = 60_000;
/** The most that a goodbye asks to wait. */
const RETRY = 2_000;

/** A server that lets everybody in for a minute, on a clock that the test sets forward, and a client with a new token each time. */
async function start(mayReturn: (method: string | undefined, asked: number) => boolean) {
  let offset = 0;
  const asked: string[] = [];
  const now = (): number => Date.now() + offset;
  const served = await startNode(
    {
      authorize: ({ method, headers }) => {
        asked.push(`${method} ${headers['authorization']}`);
        if (!mayReturn(method, asked.length)) throw unauthorized();
        return { subject: 'ann', expiresAt: now() + MINUTE };
      },
    },
    // The round that looks for what has expired comes twice in a heartbeat.
    { clock: { ...systemClock, now }, heartbeat: 40 },
  );
  let tokens = 0;
  const headers = (): HeadersInit => ({ authorization: `token ${(tokens += 1)}` });
  const observed = observe(served.url, { topics: ['a'], headers });
  await until('opening', () => observed.openings.length > 0);
  const types: string[] = [];
  for (const type of ['expiring', 'goodbye'].map((name) => `tidings:${name}`)) {
    observed.client.on(type, () => types.push(type));
  }
  return { ...served, ...observed, asked, types, pass: (time: number) => void (offset += time) };
}

describe('a client whose authorization is about to expire', () => {
  it('renews it with new headers, and the stream goes on', async () => {
    const { hub, client, asked, types, errors, pass, hasMessages } = await start(() => true);
    for (let round = 1; round <= 3; round += 1) {
      pass(40_000);
      await until('renewal', () => asked.length === 1 + round);
      await hub.publish('a', round);
      await hasMessages(round);
    }
    expect(asked).toEqual(['GET token 1', 'POST token 2', 'POST token 3', 'POST token 4']);
    expect([types, errors]).toEqual([['tidings:expiring', 'tidings:expiring', 'tidings:expiring'], []]);
    expect([client.status, hub.stats().connected]).toEqual(['open', 1]);
  });

  it('reports a refusal, and comes back with new headers after the stream has ended', async () => {
    const { hub, clock, asked, types, errors, messages, pass, hasStatus, hasMessages } = await start(
      (method) => method === 'GET',
    );
    pass(40_000);
    await until('report', () => errors.length > 0);
    expect(errors[0]).toMatch(/^auth\/unauthorized, again in (1\d|20)\d{3}$/);
    await hub.publish('a', 'still open');
    await hasMessages(1);
    pass(30_000);
    await hasStatus('waiting');
    await hub.publish('a', 'missed');
    clock.advance(RETRY);
    await hasMessages(2);
    expect(messages).toEqual(['"still open"', '"missed"']);
    expect(asked).toEqual(['GET token 1', 'POST token 2', 'GET token 3']);
    expect([types, errors.length]).toEqual([['tidings:expiring', 'tidings:goodbye'], 1]);
  });

  it('fails with 401 if it may not come back after the stream has ended', async () => {
    const { clock, errors, pass, hasStatus } = await start((_, asked) => asked === 1);
    pass(40_000);
    await until('report', () => errors.length > 0);
    pass(30_000);
    await hasStatus('waiting');
    clock.advance(RETRY);
    await hasStatus('failed');
    expect(errors.at(-1)).toBe('auth/unauthorized');
  });

  it('renews it once at a time, however often the server says so', async () => {
    const server = await serveExchanges();
    const { client, errors, hasMessages } = observe(server.url);
    const stream = await server.next();
    const notice = 'event: tidings:expiring\ndata: {"within":5000}\n\n';
    stream.stream(`${welcome({ secret: 's' })}${notice.repeat(100)}`);
    const renewal = await server.next();
    stream.send(`${notice.repeat(100)}data: 1\n\n`);
    await hasMessages(1);
    expect(server.count).toBe(2);
    renewal.answer(200, { 'content-type': 'application/json' }, '{"cursor":"","topics":[]}');
    await until('another renewal', () => {
      stream.send(notice);
      return server.count > 2;
    });
    expect(server.count).toBe(3);
    expect([client.status, errors]).toEqual(['open', []]);
  });

  it('has nothing to report once the connection is over', async () => {
    const server = await serveExchanges();
    const { client, errors, hasStatus, clock } = observe(server.url);
    const stream = await server.next();
    stream.stream(`${welcome({ secret: 's' })}event: tidings:expiring\ndata: {"within":5000}\n\n`);
    const renewal = await server.next();
    expect(await renewal.json()).toEqual({ connection: 'c1', secret: 's' });
    stream.send('event: tidings:goodbye\ndata: {"reason":"expired","retry":0}\n\n');
    await hasStatus('waiting');
    await renewal.gone;
    await turn();
    expect(errors).toEqual([]);
    clock.advance(0);
    await server.next();
    client.close();
    expect(clock.timers).toBe(0);
  });
});
