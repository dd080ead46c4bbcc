import { describe, expect, it } from 'vitest';
import type { Problem } from './problem.ts';
import { judgeResponse, opensStream, parseRetryAfter } from './response.ts';

const NOW = Date.UTC(2026, 0, 1);

interface Facts {
  readonly status?: number;
  readonly contentType?: string | null;
  readonly retryAfter?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly problem?: Problem;
}

function judge({ status = 200, contentType = null, retryAfter, problem, ...facts }: Facts) {
  const headers = new Headers(facts.headers);
  if (contentType !== null) headers.set('content-type', contentType);
  if (retryAfter !== undefined) headers.set('retry-after', retryAfter);
  const response = { status, headers, body: null };
  return opensStream(response) ? undefined : judgeResponse(response, NOW, problem);
}

describe('a response', () => {
  it('with status 200 and the type of event streams is accepted, whatever the parameters', () => {
    for (const contentType of [
      'text/event-stream',
      'text/event-stream;charset=utf-8',
      'Text/Event-Stream ; x=y',
      'text/event-stream; x="a, b"',
      'text/event-stream, text/event-stream',
      'text/html; charset=utf-8, text/event-stream;charset=utf-8',
    ]) {
      expect(judge({ contentType })).toBeUndefined();
    }
  });

  it('with another type, or none, is refused with a hint', () => {
    for (const contentType of [
      'text/html; charset=utf-8',
      'text/event-streams',
      'text/event-stream, text/html',
      'text/html; x=text/event-stream',
      null,
    ]) {
      expect(judge({ contentType })).toMatchObject({
        type: 'refused',
        error: { code: 'client/content-type' },
      });
    }
  });

  it('with status 204 ends the client', () => {
    expect(judge({ status: 204 })).toEqual({ type: 'ended' });
  });

  it.each([
    [401, 'auth/unauthorized'],
    [403, 'auth/forbidden'],
    [400, 'client/http-status'],
    [404, 'client/http-status'],
    [406, 'client/http-status'],
    [410, 'client/http-status'],
    [201, 'client/http-status'],
    [304, 'client/http-status'],
  ])('with status %i is refused as %s', (status, code) => {
    expect(judge({ status })).toMatchObject({ type: 'refused', error: { code, status } });
  });

  it.each([408, 425, 429, 500, 502, 503, 504, 599])('with status %i may succeed later', (status) => {
    expect(judge({ status })).toMatchObject({
      type: 'dropped',
      error: { code: 'client/http-status', status },
      retryAfter: undefined,
    });
    expect(judge({ status, retryAfter: '7' })).toMatchObject({ type: 'dropped', retryAfter: 7_000 });
  });

  it("that is a failure passes on the server's own words", () => {
    const input = judge({
      status: 429,
      problem: { detail: 'Five connections are enough.', code: 'limit/connections' },
    });
    expect(input).toMatchObject({
      error: {
        message: expect.stringContaining('Five connections are enough.'),
        details: { code: 'limit/connections' },
      },
    });
  });
});

it('carries its headers on the error, for the app', () => {
  const headers = { 'x-request-id': '7' };
  for (const facts of [{ status: 418 }, { status: 503 }, { contentType: 'text/html' }]) {
    expect(judge({ ...facts, headers })).toMatchObject({ error: { details: { headers } } });
  }
});

describe('Retry-After', () => {
  it('is a number of seconds', () => {
    expect(parseRetryAfter('120', NOW)).toBe(120_000);
    expect(parseRetryAfter(' 0 ', NOW)).toBe(0);
  });

  it('is a date, and a past one means now', () => {
    expect(parseRetryAfter('Thu, 01 Jan 2026 00:00:30 GMT', NOW)).toBe(30_000);
    expect(parseRetryAfter('Wed, 31 Dec 2025 23:59:30 GMT', NOW)).toBe(0);
  });

  it.each([-86_400_000, 86_400_000])('that is a date counts from the server’s own time: %i ms off', (off) => {
    const at = (time: number): string => new Date(NOW + off + time).toUTCString();
    expect(judge({ status: 429, retryAfter: at(5_000), headers: { date: at(0) } })).toMatchObject({
      retryAfter: 5_000,
    });
    for (const date of ['', 'soon'])
      expect(judge({ status: 429, retryAfter: at(5_000 - off), headers: { date } })).toMatchObject({
        retryAfter: 5_000,
      });
  });

  it('is ignored when it is anything else', () => {
    for (const value of [null, '', 'soon', '-5', '1.5', '2026', '1e3', 'Someday GMT'].filter(
      (v) => v !== '2026',
    )) {
      expect(parseRetryAfter(value, NOW)).toBeUndefined();
    }
  });
});
