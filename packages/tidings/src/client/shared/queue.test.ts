import { describe, expect, it, vi } from 'vitest';
import { createQueue } from './queue.ts';

describe('the body of a shared stream', () => {
  it('gives what has come since the last read, in one piece', async () => {
    const queue = createQueue(() => {});
    const iterator = queue.body[Symbol.asyncIterator]();
    const first = iterator.next();
    queue.push('a');
    queue.push('b');
    queue.push('c');
    expect(await first).toEqual({ done: false, value: 'a' });
    expect(queue.size).toBe(2);
    expect(await iterator.next()).toEqual({ done: false, value: 'bc' });
  });

  it('ends, or fails, only after what was pushed before', async () => {
    const [ending, failing] = [createQueue(() => {}), createQueue(() => {})];
    ending.push('a');
    ending.end();
    ending.push('too late');
    failing.push('b');
    failing.fail(new Error('broken'));
    const [ended, failed] = [ending, failing].map(({ body }) => body[Symbol.asyncIterator]());
    expect(await ended?.next()).toEqual({ done: false, value: 'a' });
    expect(await ended?.next()).toEqual({ done: true, value: undefined });
    expect(await failed?.next()).toEqual({ done: false, value: 'b' });
    await expect(failed?.next()).rejects.toThrow('broken');
  });

  it('tells when its reader has taken everything', async () => {
    const queue = createQueue(() => {});
    queue.push('a');
    const onDrained = vi.fn();
    const drained = queue.drained().then(onDrained);
    await Promise.resolve();
    expect(onDrained).not.toHaveBeenCalled();
    await queue.body[Symbol.asyncIterator]().next();
    await drained;
  });

  it('tells when its reader wants no more', () => {
    const onCancel = vi.fn();
    createQueue(onCancel).body.destroy();
    expect(onCancel).toHaveBeenCalledOnce();
  });
});
