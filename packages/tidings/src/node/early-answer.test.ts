import type { IncomingMessage, ServerResponse } from 'node:http';
import { EventEmitter, once } from 'node:events';
import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { turn } from '../../test/http/deadline.ts';
import { answerBeforeBody } from './early-answer.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
});

/** A request whose body is still to come, and what its response was made to do. */
function refuse(text: string): { body: PassThrough & { complete: boolean }; steps: string[] } {
  const steps: string[] = [];
  const socket = { destroySoon: () => void steps.push('closed') };
  const body = Object.assign(new PassThrough(), { complete: false, socket });
  const res = Object.assign(new EventEmitter(), {
    setHeader: (name: string, value: number) => void steps.push(`${name}: ${value}`),
    writeHead: (status: number) => void steps.push(`${status}`),
    flushHeaders: () => void steps.push('head'),
    write: (part: string) => void steps.push(part),
    end(...given: unknown[]) {
      expect(given).toEqual([]);
      steps.push('end');
      res.emit('finish');
    },
  });
  answerBeforeBody(body as unknown as IncomingMessage, res as unknown as ServerResponse, 403, text);
  return { body, steps };
}

describe('The answer to a request whose body is still to come', () => {
  test('leaves at once, and ends once the rest of the body is there: the socket serves the next request', async () => {
    const { body, steps } = refuse('é no');
    expect(steps).toEqual(['content-length: 5', '403', 'é no']);
    body.write('some');
    await turn();
    expect(steps).not.toContain('end');
    body.complete = true;
    body.end('the rest');
    await once(body, 'end');
    expect(steps.filter((step) => step === 'end')).toHaveLength(1);
    expect(steps).not.toContain('closed');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('without text consists of its head', () => {
    expect(refuse('').steps).toEqual(['403', 'head']);
  });

  test('ends with a peer that has gone', async () => {
    const { body, steps } = refuse('no');
    body.destroy();
    await once(body, 'close');
    expect(steps.slice(-2)).toEqual(['end', 'closed']);
  });

  test('ends after five seconds, whatever is missing then', () => {
    const { steps } = refuse('no');
    vi.advanceTimersByTime(4999);
    expect(steps).not.toContain('end');
    vi.advanceTimersByTime(1);
    expect(steps.slice(-2)).toEqual(['end', 'closed']);
  });

  test('ends after 4 MiB, however much follows', async () => {
    const { body, steps } = refuse('no');
    for (let sent = 0; sent <= 4_194_304; sent += 100_000) {
      expect(steps).not.toContain('end');
      body.write(Buffer.alloc(100_000));
      await turn();
    }
    expect(steps.slice(-2)).toEqual(['end', 'closed']);
  });
});
