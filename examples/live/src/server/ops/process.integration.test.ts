import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { DEADLINE } from '../../../../../scripts/deadline.ts';
import { createPerson, visitOf } from '../testing/person.ts';
import type { Person } from '../testing/person.ts';
import { useProcesses } from '../testing/process.ts';
import { openStream } from '../testing/stream.ts';
import { until } from '../testing/until.ts';

const { folder, run, start } = useProcesses();

/** A process's resources: bytes, and numbers of handles and timers. */
interface Figures {
  readonly heap: number;
  readonly handles: number;
  readonly timers: number;
}

describe('SIGTERM', () => {
  test('tells clients when to come back, exits with 0 and loses no post', async () => {
    const server = await start({ SHUTDOWN_SECONDS: '60' });
    const people = await Promise.all(
      ['ann', 'bob', 'carl'].map(async (name) => {
        const person = createPerson(server.url);
        await person.signUp(name);
        return person;
      }),
    );
    const streams = await Promise.all(
      Array.from({ length: 20 }, () => openStream(`${server.url}/events?topic=posts`)),
    );
    await Promise.all(streams.map((stream) => stream.next('tidings:welcome')));
    const { cursor } = (await createPerson(server.url).get('/posts')).body;

    const answered: number[] = [];
    async function postUntilRefused(person: Person): Promise<void> {
      for (;;) {
        const { status, body } = await person.send('POST', '/posts', { text: 'hurry' });
        if (status === 201) answered.push(body.id);
      }
    }
    const posting = Promise.allSettled(people.map(postUntilRefused));
    await until(() => answered.length > 10);
    const stopping = performance.now();
    server.child.kill('SIGTERM');

    const retries: number[] = [];
    for (const stream of streams) {
      const goodbye = (await stream.next('tidings:goodbye')).json();
      expect(goodbye.reason).toBe('drain');
      retries.push(goodbye.retry);
      await stream.ended;
    }
    expect(new Set(retries).size).toBeGreaterThan(10);
    expect(await server.exit).toEqual({ code: 0, signal: null });
    // Its deadline, which it should be far from.
    expect(performance.now() - stopping).toBeLessThan(60_000);
    await posting;

    const again = await start();
    const person = createPerson(again.url);
    for (const id of answered) expect((await person.get(`/posts/${id}`)).status).toBe(200);
    // Including those answered when the hub took no more events.
    const stream = await person.stream(`topic=posts&last_event_id=${cursor}`);
    await stream.next('post', ({ id }) => id === Math.max(...answered));
    const told = stream.events.filter(({ type }) => type === 'post').map((event) => event.json().id);
    expect(told).toEqual(expect.arrayContaining(answered));
    expect(told).toEqual([...new Set(told)].sort((a, b) => a - b));
    await stream.close();
  });

  test('ends within its deadline even if a request never ends', async () => {
    const server = await start({ SHUTDOWN_SECONDS: '1' });
    const person = createPerson(server.url);
    await person.signUp('ann');
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    const cookie = `tidings_session=${person.cookies.get('tidings_session')}`;
    const head = ['POST /posts HTTP/1.1', 'Host: x', `Cookie: ${cookie}`, 'Content-Type: application/json'];
    socket.write([...head, 'Content-Length: 100', 'Expect: 100-continue', '', ''].join('\r\n'));
    // The server has taken the request then, and waits for its body.
    expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 100 /);
    const stopping = performance.now();
    server.child.kill('SIGTERM');
    expect(await server.exit).toEqual({ code: 0, signal: null });
    expect(performance.now() - stopping).toBeGreaterThan(900);
    // The default deadline.
    expect(performance.now() - stopping).toBeLessThan(10_000);
    socket.destroy();
  });

  test('twice ends at once', async () => {
    const server = await start();
    server.child.kill('SIGTERM');
    server.child.kill('SIGINT');
    expect([0, null]).toContain((await server.exit).code);
  });
});

describe('a thousand streams', () => {
  test(
    'that come and go again and again leave no memory, timer or handle behind',
    async () => {
      // On demand: at an interval, a busy machine would do nothing else.
      const collectGarbage = 'data:text/javascript,process.on("SIGUSR2", () => gc())';
      const limits = {
        CONNECTIONS_PER_ADDRESS: '5000',
        CONNECTS_PER_MINUTE: '100000',
        VIEWER_GRACE_SECONDS: '0.1',
      };
      const server = await start(limits, ['--expose-gc', '--import', collectGarbage]);
      const person = createPerson(server.url);
      const { hostname, port } = new URL(server.url);

      async function metric(name: string): Promise<number> {
        const line = new RegExp(`^${name} (.*)$`, 'm').exec((await person.get('/metrics')).text);
        return Number(line?.[1] ?? 0);
      }
      async function thousand(): Promise<Figures> {
        const sockets: Socket[] = [];
        while (sockets.length < 1000) {
          // More at once would not fit the backlog of the listening socket, and be sent again a second later.
          for (let i = 0; i < 250; i += 1) {
            const socket = connect(Number(port), hostname).resume();
            const { query, headers } = visitOf('/feed');
            const lines = Object.entries({ Host: 'x', ...headers }).map((pair) => `${pair.join(': ')}\r\n`);
            socket.write(`GET /events?topic=posts&${query} HTTP/1.1\r\n${lines.join('')}\r\n`);
            sockets.push(socket);
          }
          await until(async () => (await metric('tidings_connections')) === sockets.length);
        }
        for (const socket of sockets) socket.destroy();
        await until(async () => (await metric('tidings_connections')) === 0);
        return settled();
      }
      let latest = '';
      async function figures(): Promise<Figures> {
        server.child.kill('SIGUSR2');
        // The app repeats an answer for a while.
        await until(async () => {
          const { text } = await person.get('/metrics');
          return text !== latest && (latest = text) !== '';
        });
        return {
          heap: await metric('nodejs_heap_size_used_bytes'),
          handles: await metric('nodejs_active_handles_total'),
          timers: await metric('nodejs_active_resources\\{type="Timeout"\\}'),
        };
      }
      /** Once nothing more goes away: the viewers' grace time is over, the garbage collected. */
      async function settled(): Promise<Figures> {
        let before = await figures();
        for (;;) {
          const now = await figures();
          const fell = now.heap < 0.995 * before.heap;
          if (!fell && now.handles >= before.handles && now.timers >= before.timers) return now;
          before = now;
        }
      }

      // The first round creates everything that is created once: compiled code, pools, prepared statements.
      await thousand();
      const before = await thousand();
      await thousand();
      await thousand();
      const expectNoMore = async (): Promise<void> => {
        const after = await figures();
        expect(after.heap - before.heap).toBeLessThan(2_000_000);
        expect(after.handles).toBeLessThanOrEqual(before.handles);
        expect(after.timers).toBeLessThanOrEqual(before.timers);
      };
      await vi.waitFor(expectNoMore, { timeout: DEADLINE, interval: 200 });
    },
    10 * DEADLINE,
  );
});

describe('an unforeseen error', () => {
  test.each([
    ['an error that nobody catches', 'throw new Error("boom")'],
    ['a promise that nobody catches', 'Promise.reject(new Error("boom"))'],
  ])('%s is logged, and ends the process at once', async (_, failure) => {
    const crash = `data:text/javascript,process.on("SIGUSR2", () => { ${failure} })`;
    const { child, exit, output } = await start({}, ['--import', crash]);
    child.kill('SIGUSR2');
    expect(await exit).toMatchObject({ code: null });
    expect(output()).toMatch(/"level":60.*boom/);
  });
});

describe('a start that cannot succeed', () => {
  test('says which variable is wrong', async () => {
    const { exit, output } = run({ PORT: 'http' });
    expect((await exit).code).toBe(1);
    expect(output()).toMatch(/PORT/);
    expect(output()).not.toMatch(/ at /);
  });

  test('says that the port is taken', async () => {
    const other = createServer();
    await once(other.listen(0, '127.0.0.1'), 'listening');
    const { port } = other.address() as AddressInfo;
    const { exit, output } = run({ PORT: String(port) });
    expect((await exit).code).toBe(1);
    expect(output()).toMatch(`Port ${port} is in use by another program`);
    expect(output().trim().split('\n')).toHaveLength(1);
    other.close();
  });

  test('says that an address cannot be listened on', async () => {
    // https://www.rfc-editor.org/rfc/rfc5737: no machine has it.
    const { exit, output } = run({ HOST: '192.0.2.1' });
    expect((await exit).code).toBe(1);
    expect(output()).toMatch(/192\.0\.2\.1.*HOST/s);
    expect(output()).not.toMatch(/ at /);
  });

  test('says that another process has the log of events open', async () => {
    const { child } = await start();
    const { exit, output } = run();
    expect((await exit).code).toBe(1);
    expect(output()).toMatch(`The log in ${folder()}/events is in use. Process ${child.pid}`);
    expect(output().trim().split('\n')).toHaveLength(1);
  });

  test('says that the log cannot be opened, and what to do', async () => {
    await writeFile(`${folder()}/events`, '');
    const { exit, output } = run();
    expect((await exit).code).toBe(1);
    expect(output()).toMatch(/events can't be opened.*EVENT_LOG_PATH.*EVENT_LOG=memory/s);
    expect(output()).not.toMatch(/ at /);
  });
});
