import { createRequire } from 'node:module';
import type { Gap } from 'tidings/client';
import { afterEach, describe, expect, test } from 'vitest';
import { freePort } from '../../../../../packages/tidings/test/faults/free-port.ts';
import type { PostList, PublicPost } from '../../shared/api.ts';
import { DEADLINE } from '../../../../../scripts/deadline.ts';
import { follow } from '../testing/follow.ts';
import { createPerson, visitOf } from '../testing/person.ts';
import type { Person } from '../testing/person.ts';
import type { Stream } from '../testing/stream.ts';
import { useProcesses } from '../testing/process.ts';
import type { Process } from '../testing/process.ts';
import { until } from '../testing/until.ts';

const { start } = useProcesses();
const CLIENTS = 10;
const KILLS = 4;

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** One client's events, over all its connections. */
interface Reader {
  ids: number[];
  gaps: Gap[];
  resumed: boolean[];
}

function read(person: Person, url: string, cursor: string): Reader {
  const reader: Reader = { ids: [], gaps: [], resumed: [] };
  const client = follow(person, `${url}/events`, { topics: ['posts'], cursor });
  cleanups.push(() => client.close());
  client.on('post', (event) => reader.ids.push(event.json<PublicPost>().id));
  client.onGap((gaps) => reader.gaps.push(...gaps));
  client.onOpen(({ resumed }) => reader.resumed.push(resumed));
  return reader;
}

/** Posts without a pause until the server is gone. */
async function postUntilGone(author: Person, answered: number[]): Promise<void> {
  for (;;) {
    try {
      const { status, body } = await author.send('POST', '/posts', { text: 'on and on' });
      if (status === 201) answered.push(body.id);
    } catch {
      return;
    }
  }
}

/** Newest last. */
async function postsInDatabase(person: Person): Promise<number[]> {
  const ids: number[] = [];
  let path = '/posts?limit=100';
  for (;;) {
    const { posts, next }: PostList = (await person.get(path)).body;
    ids.push(...posts.map(({ id }) => id));
    if (next === null) return ids.toReversed();
    path = `/posts?limit=100&before=${next}`;
  }
}

describe('kill -9', () => {
  test(
    'while people post: no post answered 201 is lost, and each reader gets every post once, in order, with no gap',
    async () => {
      const variables = { PORT: String(await freePort()) };
      let server: Process & { url: string } = await start(variables);
      const { url } = server;
      const ann = createPerson(url);
      const { user } = await ann.signUp('ann');
      const { cursor } = (await ann.get('/posts')).body;
      const readers = Array.from({ length: CLIENTS }, () => read(ann, url, cursor));
      const answered: number[] = [];

      for (let kill = 1; kill <= KILLS; kill += 1) {
        await until(() => readers.every(({ resumed }) => resumed.length >= kill));
        const posting = Promise.all([1, 2, 3].map(() => postUntilGone(ann, answered)));
        const enough = answered.length + 20 * kill;
        await until(() => answered.length >= enough);
        server.child.kill('SIGKILL');
        await posting;
        expect((await server.exit).signal).toBe('SIGKILL');
        server = await start(variables);
      }

      const last = await ann.post('the last one');
      await until(() => readers.every(({ ids }) => ids.at(-1) === last.id));
      const saved = await postsInDatabase(ann);
      expect(saved).toEqual(expect.arrayContaining(answered));
      for (const { ids, gaps, resumed } of readers) {
        expect(ids).toEqual(saved);
        expect(gaps).toEqual([]);
        expect(resumed.length).toBeGreaterThan(KILLS);
        expect(resumed).not.toContain(false);
      }
      // The session outlived it all, too.
      expect((await ann.get('/session')).body.user).toEqual(user);
    },
    10 * DEADLINE,
  );

  test.each([
    ['between saving a post and publishing it', 'die()'],
    ['between publishing a post and remembering that', 'await publish(); die()'],
  ])('%s: subscribers get the post once, after the restart', async (_, moment) => {
    const variables = { PORT: String(await freePort()) };
    const first = await start(variables, ['--import', dieWhilePublishing('boom', moment)]);
    const ann = createPerson(first.url);
    await ann.signUp('ann');
    const { cursor } = (await ann.get('/posts')).body;
    await ann.post('before');
    await expect(ann.post('boom')).rejects.toThrow();
    expect((await first.exit).signal).toBe('SIGKILL');

    const second = await start(variables);
    const stream = await ann.stream(`topic=posts&last_event_id=${cursor}`);
    await ann.post('after');
    await stream.next('post', ({ text }) => text === 'after');
    const texts = stream.events.filter(({ type }) => type === 'post').map((event) => event.json().text);
    expect(texts).toEqual(['before', 'boom', 'after']);
    expect((await stream.next('tidings:welcome')).json()).toMatchObject({ resumed: true, gaps: [] });
    expect(second.output()).not.toMatch(/"level":[4-6]0/);
    await stream.close();
  });

  test('leaves no viewers behind who are gone', async () => {
    const variables = { VIEWER_GRACE_SECONDS: '1', PORT: String(await freePort()) };
    const first = await start(variables);
    const [ann, bob] = [createPerson(first.url), createPerson(first.url)];
    const { query } = visitOf('/feed');
    const watch = (person: Person): Promise<Stream> => person.stream(`topic=viewers&${query}`);
    const streams = [await watch(ann), await watch(bob)];
    await streams[0]?.next('viewers:delta', ({ people }) => people === 2);
    first.child.kill('SIGKILL');
    await Promise.all(streams.map(({ ended }) => ended));

    await start(variables);
    const again = await watch(ann);
    expect((await again.next('viewers:delta')).json()).toMatchObject({ people: 1 });
    await again.close();
  });
});

/** A module that has the process end at a certain moment of publishing the post with this text. */
function dieWhilePublishing(text: string, moment: string): string {
  const library = createRequire(import.meta.url).resolve('tidings');
  const code = `
    import { createHub } from ${JSON.stringify(`file://${library}`)};
    const hub = Object.getPrototypeOf(createHub());
    const { publishAll } = hub;
    hub.publishAll = async function (events) {
      const publish = () => publishAll.call(this, events);
      const die = () => process.kill(process.pid, 'SIGKILL');
      if (events.some(({ data }) => data.text === ${JSON.stringify(text)})) { ${moment} }
      return publish();
    };`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
