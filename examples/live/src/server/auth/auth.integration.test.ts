import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { PASSWORD } from '../testing/person.ts';
import { startServer } from '../testing/server.ts';
import type { TestServer } from '../testing/server.ts';
import { temporaryFolder } from '../testing/server.ts';
import { manualClock } from '../testing/clock.ts';
import { SessionStore } from './session-store.ts';

describe('accounts', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
    await server.signedUp('Taken');
  });
  afterAll(() => server.close());

  test('are made and signed in at once', async () => {
    const person = server.person();
    const answer = await person.send('POST', '/users', { name: 'Ann_1', password: PASSWORD });
    expect(answer.status).toBe(201);
    expect(answer.body.user).toEqual({ id: expect.any(Number), name: 'Ann_1' });
    expect(answer.body.expiresAt).toBeGreaterThan(Date.now());
    expect((await person.get('/session')).body.user).toEqual(answer.body.user);
  });

  test.each([
    ['a name that is too short', { name: 'a', password: PASSWORD }],
    ['a name that is too long', { name: 'a'.repeat(25), password: PASSWORD }],
    ['a name with other characters', { name: 'ann lee', password: PASSWORD }],
    ['a name with a line break', { name: 'ann\n', password: PASSWORD }],
    ['a password that is too short', { name: 'short', password: '1234567' }],
    ['a password that is too long', { name: 'long', password: 'x'.repeat(201) }],
    ['no password', { name: 'none' }],
    ['an object as a name', { name: { $ne: '' }, password: PASSWORD }],
  ])('refuse %s with 400', async (_, body) => {
    expect(await server.person().send('POST', '/users', body)).toMatchObject({
      status: 400,
      body: { code: 'request/invalid' },
    });
  });

  test('refuse a name that is taken, in whatever case, with 409', async () => {
    expect(await server.person().send('POST', '/users', { name: 'taken', password: PASSWORD })).toMatchObject(
      {
        status: 409,
        body: { code: 'user/name-taken' },
      },
    );
  });

  test('refuse one of two that sign up with the same name at the same moment', async () => {
    const body = { name: 'twins', password: PASSWORD };
    const answers = await Promise.all([1, 2].map(() => server.person().send('POST', '/users', body)));
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([201, 409]);
  });

  test('do not reveal whether the password or the name is wrong', async () => {
    const wrongPassword = await server
      .person()
      .send('POST', '/session', { name: 'Taken', password: 'wrong' });
    const wrongName = await server.person().send('POST', '/session', { name: 'Nobody', password: 'wrong' });
    expect(wrongPassword).toMatchObject({ status: 401, body: { code: 'session/wrong-credentials' } });
    expect(wrongName.body).toEqual(wrongPassword.body);
    expect(wrongPassword.headers.getSetCookie()).toEqual([]);
  });

  test('let their owner in with any case of the name', async () => {
    const answer = await server.person().send('POST', '/session', { name: 'TAKEN', password: PASSWORD });
    expect(answer).toMatchObject({ status: 200, body: { user: { name: 'Taken' } } });
  });
});

describe('guessing a password', () => {
  const guess = { name: 'ann', password: 'a wrong guess' };
  let server: TestServer;
  beforeAll(async () => {
    // Each browser below is another address.
    server = await startServer({ SIGN_IN_FAILURES: '3', TRUST_PROXY: 'loopback' });
  });
  afterAll(() => server.close());

  test('is limited for each account from any number of addresses, without locking out known browsers', async () => {
    const ann = await server.signedUp('ann');
    await ann.send('DELETE', '/session');
    const attempt = (address: number, body: unknown, person = server.person()): Promise<{ status: number }> =>
      person.send('POST', '/session', body, { 'X-Forwarded-For': `192.0.2.${address}` });

    const guesses = await Promise.all(Array.from({ length: 10 }, (_, address) => attempt(address, guess)));
    expect(guesses.map(({ status }) => status).sort((a, b) => a - b)).toEqual([
      ...[401, 401, 401],
      ...[429, 429, 429, 429, 429, 429, 429],
    ]);
    // Not even the right password helps a stranger now, or a guess would be worth something.
    expect(await attempt(99, { ...guess, password: PASSWORD })).toMatchObject({
      status: 429,
      body: { code: 'limit/exceeded' },
    });
    expect(await attempt(99, { name: 'nobody', password: 'a wrong guess' })).toMatchObject({ status: 401 });
    expect(await attempt(100, { ...guess, password: PASSWORD }, ann)).toMatchObject({ status: 200 });
  });

  test('is not easier with the cookie of another user, or a made-up one', async () => {
    const eve = await server.signedUp('eve');
    await server.signedUp('bob');
    const forged = `${eve.cookies.get('tidings_browser')}x`;
    for (const cookie of [eve.cookies.get('tidings_browser') ?? '', forged, 'a.b', '']) {
      eve.cookies.set('tidings_browser', cookie);
      await eve.send('POST', '/session', { ...guess, name: 'bob' });
    }
    const answer = await server.person().send('POST', '/session', { name: 'bob', password: PASSWORD });
    expect(answer.status).toBe(429);
  });
});

describe('sessions', () => {
  const servers: TestServer[] = [];
  async function start(...options: Parameters<typeof startServer>): Promise<TestServer> {
    const server = await startServer(...options);
    servers.push(server);
    return server;
  }
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  test('are identified by a cookie that scripts and other sites cannot use', async () => {
    const server = await start();
    const answer = await server.person().send('POST', '/users', { name: 'ann', password: PASSWORD });
    const cookie = answer.headers.getSetCookie().find((line) => line.startsWith('tidings_session='));
    expect(cookie).toMatch(/^tidings_session=.*; Path=\/; Expires=.*; HttpOnly; SameSite=Lax$/);
  });

  test('have a Secure cookie behind a proxy that speaks HTTPS', async () => {
    const server = await start({ TRUST_PROXY: 'loopback' });
    const body = { name: 'ann', password: PASSWORD };
    const answer = await server.person().send('POST', '/users', body, { 'X-Forwarded-Proto': 'https' });
    const cookies = answer.headers.getSetCookie();
    expect(cookies).toHaveLength(2);
    for (const cookie of cookies) expect(cookie).toMatch(/; Secure/);
  });

  test('get a new id on signing in, which makes one planted before worthless', async () => {
    const server = await start();
    const person = await server.signedUp('ann');
    const before = person.cookies.get('tidings_session') ?? '';
    await person.send('POST', '/session', { name: 'ann', password: PASSWORD });
    expect(person.cookies.get('tidings_session')).not.toBe(before);
    const thief = server.person();
    thief.cookies.set('tidings_session', before);
    expect((await thief.get('/session')).body.user).toBeNull();
  });

  test('end on signing out, which makes a copy of the cookie worthless', async () => {
    const server = await start();
    const person = await server.signedUp('ann');
    const copy = server.person();
    copy.cookies.set('tidings_session', person.cookies.get('tidings_session') ?? '');
    expect((await copy.get('/session')).body.user).toEqual(person.user);
    expect((await person.send('DELETE', '/session')).status).toBe(204);
    expect(person.cookies.has('tidings_session')).toBe(false);
    expect((await person.get('/session')).body).toEqual({ user: null, expiresAt: null });
    expect((await copy.get('/session')).body.user).toBeNull();
    expect((await person.send('DELETE', '/session')).status).toBe(204);
  });

  test('that do not exist leave nothing behind when they are ended', async () => {
    const server = await start();
    const destroy = vi.spyOn(SessionStore.prototype, 'destroy');
    const stranger = server.person();
    stranger.cookies.set('tidings_session', 's%3Amade-up.signature');
    for (let i = 0; i < 20; i += 1) expect((await stranger.send('DELETE', '/session')).status).toBe(204);
    expect(destroy).not.toHaveBeenCalled();
    const ann = await server.signedUp('ann');
    destroy.mockClear();
    await ann.send('DELETE', '/session');
    expect(destroy).toHaveBeenCalledOnce();
    destroy.mockRestore();
  });

  test('that end while one of their requests is being answered do not come back', async () => {
    const clock = manualClock(Date.now());
    const server = await start({ SESSION_DAYS: '3' }, { clock });
    const person = await server.signedUp('ann');
    const copy = server.person();
    copy.cookies.set('tidings_session', person.cookies.get('tidings_session') ?? '');
    // A day later, asking for the session renews it: it is saved anew when the answer is sent.
    clock.sleep(86_400_000);
    const update = vi.spyOn(SessionStore.prototype, 'set');
    let signOut: Promise<unknown> | undefined;
    update.mockImplementationOnce(function (this: SessionStore, ...rest) {
      // Just before it is saved, it is ended elsewhere, for longer than the server remembers.
      signOut = person.send('DELETE', '/session').then(() => {
        clock.sleep(3_600_000);
        update.mockRestore();
        this.set(...rest);
      });
    });
    await copy.get('/session');
    await signOut;
    expect((await copy.get('/session')).body.user).toBeNull();
  });

  test('cannot be forged', async () => {
    const server = await start();
    const person = await server.signedUp('ann');
    for (const cookie of ['s%3Aabc.def', 'garbage', '', '%', `${person.cookies.get('tidings_session')}x`]) {
      const forger = server.person();
      forger.cookies.set('tidings_session', cookie);
      expect((await forger.get('/session')).body.user).toBeNull();
    }
  });

  test('outlive a restart of the server', async () => {
    const { folder, remove } = await temporaryFolder();
    const first = await start({ DATABASE_FILE: `${folder}/live.sqlite` });
    const person = await first.signedUp('ann');
    await first.close();
    const second = await start({ DATABASE_FILE: `${folder}/live.sqlite` });
    const later = second.person();
    later.cookies.set('tidings_session', person.cookies.get('tidings_session') ?? '');
    expect((await later.get('/session')).body.user).toEqual(person.user);
    await remove();
  });

  test('end after their time, unless they are in use', async () => {
    const day = 86_400_000;
    // express-session reckons the cookie's time by the system's clock.
    const clock = manualClock(Date.now());
    const server = await start({ SESSION_DAYS: '2' }, { clock });
    const person = await server.signedUp('ann');
    expect((await person.get('/session')).headers.getSetCookie()).toEqual([]);
    clock.sleep(1.5 * day);
    const renewed = await person.get('/session');
    expect(renewed.headers.getSetCookie()[0]).toMatch(/^tidings_session=/);
    expect((await person.get('/session')).headers.getSetCookie()).toEqual([]);
    clock.sleep(2.5 * day);
    expect((await person.get('/session')).body.user).toBeNull();
  });
});
