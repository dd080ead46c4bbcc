import type { IncomingHttpHeaders } from 'node:http';
import express from 'express';
import { describe, expect, test } from 'vitest';
import { ask } from '../../test/http/client.ts';
import { startHub, startNode } from '../../test/http/hub.ts';
import { serve } from '../../test/http/server.ts';
import { TidingsError, createHub, forbidden } from '../index.ts';
import { sse as expressSse } from '../node/express.ts';
import { sse as fetchSse } from '../fetch/index.ts';
import type { CorsOptions } from './handler-options.ts';
import { sse } from '../node/index.ts';

const APP = 'https://app.example';

async function answerTo(cors: CorsOptions | undefined, origin: string | undefined, method = 'GET') {
  const { url } = await startNode({ topics: ['a'], ...(cors === undefined ? {} : { cors }) });
  const headers = origin === undefined ? {} : { origin };
  return (await ask(url, { method, headers })).headers;
}

function permission(headers: IncomingHttpHeaders): unknown[] {
  return [headers['access-control-allow-origin'], headers['access-control-allow-credentials'], headers.vary];
}

describe('A page of another origin', () => {
  test('gets no permission without the option', async () => {
    expect(permission(await answerTo(undefined, APP))).toEqual([undefined, undefined, undefined]);
    expect(permission(await answerTo(undefined, APP, 'OPTIONS'))).toEqual([undefined, undefined, undefined]);
  });

  test.each<[string, CorsOptions['origin']]>([
    ['by name', APP],
    ['by one name of several', ['https://other.example', APP]],
    ['by a function', (origin) => origin.endsWith('.example')],
  ])(
    'may read if it is allowed %s, and caches learn that the answer depends on the origin',
    async (_how, origin) => {
      expect(permission(await answerTo({ origin }, APP))).toEqual([APP, undefined, 'Origin']);
      expect(permission(await answerTo({ origin, credentials: true }, APP))).toEqual([APP, 'true', 'Origin']);
    },
  );

  test.each(['https://app.example.evil', 'http://app.example', 'https://APP.example', 'null', ''])(
    'may not read otherwise: "%s"',
    async (origin) => {
      const cors = { origin: [APP], credentials: true };
      expect(permission(await answerTo(cors, origin))).toEqual([undefined, undefined, 'Origin']);
      expect(permission(await answerTo(cors, origin, 'OPTIONS'))).toEqual([undefined, undefined, 'Origin']);
    },
  );

  test('may read if every origin may', async () => {
    expect(permission(await answerTo({ origin: '*' }, APP))).toEqual(['*', undefined, undefined]);
    expect(permission(await answerTo({ origin: '*' }, undefined))).toEqual(['*', undefined, undefined]);
  });

  test('may send the client’s headers, for which its preflight asks', async () => {
    const headers = await answerTo({ origin: APP, credentials: true, maxAge: 7 }, APP, 'OPTIONS');
    expect(headers).toMatchObject({
      'access-control-allow-methods': 'GET, HEAD, POST',
      'access-control-allow-headers': expect.stringMatching(/\bLast-Event-ID\b/),
      'access-control-allow-credentials': 'true',
      'access-control-max-age': '7',
    });
  });

  test('may read why it was refused, and when to come back', async () => {
    const { url } = await startNode({
      topics: ['a'],
      cors: { origin: APP },
      authorize: () => {
        throw forbidden();
      },
    });
    const refused = await ask(url, { headers: { origin: APP } });
    expect(refused.status).toBe(403);
    expect(permission(refused.headers)).toEqual([APP, undefined, 'Origin']);
    expect(refused.headers['access-control-expose-headers']).toBe('Retry-After');
  });
});

describe('Vary', () => {
  test('adds to the value that middleware has set', async () => {
    const app = express();
    app.use((_req, res, next) => {
      res.vary('Accept-Encoding');
      next();
    });
    app.use(expressSse(startHub(), { topics: ['a'], cors: { origin: APP } }));
    const { url } = await serve(app);
    expect((await ask(url, { headers: { origin: APP } })).headers.vary).toBe('Accept-Encoding, Origin');
  });

  test.each(['Vary', 'vary'])(
    'adds to the value in the option `headers`, even written "%s"',
    async (name) => {
      const { url } = await startNode({
        topics: ['a'],
        cors: { origin: APP },
        headers: { [name]: 'Cookie' },
      });
      expect((await ask(url, { headers: { origin: APP } })).headers.vary).toBe('Cookie, Origin');
      const handle = fetchSse(startHub(), {
        topics: ['a'],
        cors: { origin: APP },
        headers: { [name]: 'Cookie' },
      });
      const response = await handle(new Request('http://x/', { headers: { origin: APP } }));
      expect(response.headers.get('vary')).toBe('Cookie, Origin');
      await response.body?.cancel();
    },
  );
});

test('Credentials for every origin are refused when the handler is made', () => {
  const cors = { origin: '*', credentials: true };
  const hub = createHub();
  for (const make of [sse, expressSse, fetchSse]) {
    expect(() => make(hub, { cors })).toThrow(expect.objectContaining({ code: 'hub/invalid-option' }));
    expect(() => make(hub, { cors })).toThrow(TidingsError);
  }
});
