import { describe, expect, it } from 'vitest';
import { ask } from '../../test/http/client.ts';
import type { Frame } from '../../test/http/frames.ts';
import { startNode } from '../../test/http/hub.ts';
import { memoryLog } from '../index.ts';
import type { Welcome } from '../protocol/control.ts';

/** The data of events, each behind the label that applies to it. */
function labelled(frames: readonly Frame[]): string[] {
  let label = 'none';
  return frames.flatMap(({ type, data }) => {
    if (type === 'tidings:label') label = JSON.stringify(JSON.parse(data ?? '').topics);
    return data === undefined || type.startsWith('tidings:') ? [] : [`${label} ${data}`];
  });
}

async function welcomeOf(url: string, headers: Record<string, string> = {}): Promise<Welcome> {
  const { frames, cut } = await ask(url, { headers });
  const { data } = await frames.nextEvent();
  cut();
  return JSON.parse(data);
}

describe('a request for labels', () => {
  it('gets before each event the matchers by which it came, once for several that came by the same', async () => {
    const { hub, url } = await startNode({});
    const { frames } = await ask(`${url}/?topic=a&topic=b&pattern=c%2F:id&labels=1`);
    await frames.nextEvent();
    await hub.publishAll([
      { topics: ['a'], data: 1 },
      { topics: ['a'], data: 2 },
      { topics: ['b', 'elsewhere', 'c/7'], data: 3 },
      { topics: ['c/8'], data: 4 },
    ]);
    await frames.until('events', () => frames.events.length === 4);
    expect(labelled(frames.all)).toEqual([
      '["a"] 1',
      '["a"] 2',
      '["b",{"pattern":"c/:id"}] 3',
      '[{"pattern":"c/:id"}] 4',
    ]);
    expect(frames.all.filter(({ type }) => type === 'tidings:label')).toHaveLength(3);
    expect(frames.text).not.toContain('elsewhere');
  });

  it('gets them with what is read from the log and with the values of states, and none with what is for it alone', async () => {
    const log = memoryLog({ topics: [{ match: 's', state: true }] });
    const { hub, url } = await startNode({ greeting: () => [{ data: 'hello' }] }, { log });
    const start = hub.cursor();
    await hub.publish('s', 1, { key: 'k' });
    await hub.publish('a', 2);
    const { frames } = await ask(`${url}/?topic=a&topic=s&labels=1&last_event_id=${start}`);
    const { connection } = JSON.parse((await frames.nextEvent()).data) as Welcome;
    await frames.until('events', () => frames.events.length === 3);
    hub.send(connection, { data: 'you' });
    await frames.until('events', () => frames.events.length === 4);
    expect(labelled(frames.all)).toEqual(['none "hello"', '["s"] 1', '["a"] 2', '[] "you"']);
  });

  it('gets for a private event only the matchers that were granted by name', async () => {
    const authorize = () => ({ subject: 'ann', topics: ['a', { pattern: '*' }] });
    const { hub, url } = await startNode({
      authorize: (req) => (req.url?.includes('all') === true ? authorize() : { subject: 'ann' }),
    });
    const { frames } = await ask(`${url}/all?topic=a&pattern=a*&labels=1`);
    await frames.nextEvent();
    await hub.publish('a', 1, { private: true });
    await frames.until('event', () => frames.events.length === 1);
    expect(labelled(frames.all)).toEqual(['["a",{"pattern":"a*"}] 1']);
  });

  it('gets for presence only the topic by its name, not a pattern that would reveal it', async () => {
    const { url } = await startNode({}, { presence: [{ match: 'room', interval: 1 }] });
    const { frames } = await ask(`${url}/?topic=room&topic=presence%2Froom&pattern=*&labels=1`);
    await frames.until('event', () => frames.events.length === 1);
    expect(labelled(frames.all)).toEqual([expect.stringMatching(/^\["presence\/room"\] /)]);
  });

  it('goes on after a change with the matchers there are then', async () => {
    const { hub, url } = await startNode({});
    const { frames } = await ask(`${url}/?topic=a&labels=1`);
    const { connection, secret } = JSON.parse((await frames.nextEvent()).data) as Welcome;
    const body = JSON.stringify({ connection, secret, add: ['b'], drop: ['a'] });
    const headers = { 'content-type': 'application/json' };
    expect((await fetch(url, { method: 'POST', headers, body })).status).toBe(200);
    await hub.publish(['a', 'b'], 1);
    await frames.until('event', () => frames.events.length === 1);
    expect(labelled(frames.all)).toEqual(['["b"] 1']);
  });

  it('shares no output with connections for other topics that get the same events', async () => {
    const { hub, url } = await startNode({});
    const both = await Promise.all(
      ['topic=a&topic=b', 'topic=a&topic=c'].map((query) => ask(`${url}/?${query}&labels=1`)),
    );
    for (const { frames } of both) await frames.nextEvent();
    await hub.publish(['a', 'b', 'c'], 1);
    for (const { frames } of both) await frames.until('event', () => frames.events.length === 1);
    expect(both.map(({ frames }) => labelled(frames.all))).toEqual([['["a","b"] 1'], ['["a","c"] 1']]);
  });

  it('is welcomed with its topics and the audience, which tells one subject from another and reveals none', async () => {
    const { url } = await startNode({
      authorize: ({ headers: { authorization: subject } }) =>
        subject === undefined ? {} : { subject, member: { id: 'same' } },
    });
    const ask = (user?: string) =>
      welcomeOf(`${url}/?topic=a&labels=1`, user === undefined ? {} : { authorization: user });
    const [ann, again, bob, nobody] = await Promise.all([ask('ann'), ask('ann'), ask('bob'), ask()]);
    expect(ann.topics).toEqual(['a']);
    expect(ann.audience).toMatch(/^[\w-]{22}$/);
    expect(again.audience).toBe(ann.audience);
    expect(new Set([ann.audience, bob.audience, nobody.audience]).size).toBe(3);
    expect(await welcomeOf(`${url}/?topic=a`)).not.toHaveProperty('audience');
  });

  it('without a subject has the audience of the same grants only', async () => {
    const { url } = await startNode({ authorize: (req) => ({ topics: ['a', req.url?.slice(1, 2) ?? ''] }) });
    const [one, same, other] = await Promise.all(
      ['x', 'x', 'y'].map((path) => welcomeOf(`${url}/${path}?topic=a&labels=1`)),
    );
    expect(same?.audience).toBe(one?.audience);
    expect(other?.audience).not.toBe(one?.audience);
  });

  it.each([undefined, () => ({ subject: 'ann' })])(
    'where the app chooses the topics has the audience of the same topics only',
    async (authorize) => {
      const { url } = await startNode({
        topics: (req) => ['news', `user/${req.url?.slice(1, 2)}`],
        ...(authorize && { authorize }),
      });
      const [one, same, other] = await Promise.all(
        ['x', 'x', 'y'].map((path) => welcomeOf(`${url}/${path}?labels=1`)),
      );
      expect(same?.audience).toBe(one?.audience);
      expect(other?.audience).not.toBe(one?.audience);
    },
  );
});
