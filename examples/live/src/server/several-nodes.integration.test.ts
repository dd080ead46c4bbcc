import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPostgres, startPostgres } from '../../cluster/engines.mjs';
import { createPerson } from './testing/person.ts';
import type { Person } from './testing/person.ts';
import { startServer } from './testing/server.ts';
import type { TestServer } from './testing/server.ts';
import { until } from './testing/until.ts';

// Two nodes in one process, on a PostgreSQL of the test's own, which has both the log and the data.
describe.skipIf(!hasPostgres)('two nodes on one log and one database', () => {
  let engine: Awaited<ReturnType<typeof startPostgres>>;
  let nodes: [TestServer, TestServer];
  let people: [Person, Person];

  beforeAll(async () => {
    engine = await startPostgres();
    const start = (NODE_NAME: string): Promise<TestServer> =>
      startServer({
        NODE_NAME,
        DATABASE_URL: engine.url,
        EVENT_LOG: 'postgres',
        SESSION_SECRET: 's'.repeat(32),
        VIEWER_GRACE_SECONDS: '1',
      });
    // At once: both bring the tables up to date.
    nodes = await Promise.all([start('one'), start('two')]);
    people = [await nodes[0].signedUp('ann'), await nodes[1].signedUp('bob')];
  });
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.close()));
    await engine.stop();
  });

  /** The same browser, at the other node. */
  function atOther(person: Person, node: TestServer): Person {
    const same = createPerson(node.url);
    for (const [name, value] of person.cookies) same.cookies.set(name, value);
    same.user = person.user;
    return same;
  }

  test('publish posts in the order of the database, whichever node saves them', async () => {
    const [ann, bob] = people;
    const streams = await Promise.all([ann.stream('topic=posts'), bob.stream('topic=posts')]);
    const posted = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? ann : bob).post(`post ${i}`)),
    );
    const last = Math.max(...posted.map(({ id }) => id));
    for (const stream of streams) {
      await stream.next('post', ({ id }) => id === last);
      const ids = stream.events.filter(({ type }) => type === 'post').map((event) => event.json().id);
      expect(ids).toEqual(posted.map(({ id }) => id).sort((a, b) => a - b));
      await stream.close();
    }
    // A node learns of the other one's posts a moment later.
    await until(async () => {
      const [one, two] = nodes.map((node) => node.person().get('/metrics'));
      const texts = [(await one)?.text, (await two)?.text];
      return texts.every((text) => /^live_posts 20$/m.test(text ?? ''));
    });
  });

  test('count likes, and mention users, across nodes', async () => {
    const [ann, bob] = people;
    const stream = await bob.stream(`topic=user/${bob.user.id}&topic=posts`);
    const post = await ann.post('hello @bob and @nobody');
    expect(post.mentions).toEqual(['bob']);
    const mention = (await stream.next('mention')).json();
    expect(mention).toMatchObject({ from: { name: 'ann' }, post: { id: post.id } });
    const like = await bob.send('PUT', `/posts/${post.id}/like`);
    expect(like.body).toMatchObject({ likes: 1, liked: true });
    expect((await bob.send('PUT', `/posts/${post.id}/like`)).body).toMatchObject({ likes: 1 });
    expect((await bob.send('PUT', '/posts/999999/like')).status).toBe(404);
    await stream.close();
  });

  test('count a viewer of two nodes once, and publish each number once', async () => {
    const [ann, bob] = people;
    const watching = await bob.stream('topic=viewers');
    await watching.next('viewers:snapshot');
    const numbers = (): number[] =>
      watching.events
        .filter(({ type }) => type === 'viewers:delta')
        .flatMap((event) => event.json().pages as { page: string; viewers: number }[])
        .filter(({ page }) => page === '/feed')
        .map(({ viewers }) => viewers);
    const first = await ann.view('/feed');
    await until(() => numbers().at(-1) === 1);
    const second = await atOther(ann, nodes[1]).view('/feed');
    const third = await bob.view('/feed');
    await until(() => numbers().at(-1) === 2);
    await Promise.all([first, second, third].map((stream) => stream.close()));
    await until(() => numbers().at(-1) === 0);
    expect(numbers().filter((count) => count > 2)).toEqual([]);
    await watching.close();
  });

  test('end the streams of a session at both when it signs out at one', async () => {
    const carol = await nodes[0].signedUp('carol');
    const elsewhere = atOther(carol, nodes[1]);
    const stream = await elsewhere.stream(`topic=user/${carol.user.id}`);
    await stream.next('tidings:welcome');
    expect((await carol.send('DELETE', '/session')).status).toBe(204);
    await stream.ended;
    expect((await elsewhere.stream(`topic=user/${carol.user.id}`)).response.status).toBe(401);
  });

  test('list each other, the own one first', async () => {
    await until(async () => {
      const stream = await people[0].stream('topic=dashboard');
      const snapshot = (await stream.next('dashboard:snapshot')).json();
      await stream.close();
      const names = snapshot.nodes.map(({ name }: { name: string }) => name);
      return snapshot.node === 'one' && names.join() === 'one,two';
    });
  });
});
