import { describe, expect, it } from 'vitest';
import { createFeed } from './feed.ts';

async function settled(promise: Promise<unknown> | undefined): Promise<boolean> {
  let is = false;
  void promise?.then(() => (is = true));
  for (let i = 0; i < 5; i += 1) await Promise.resolve();
  return is;
}

describe('offering a value', () => {
  it('does not wait while nobody iterates', () => {
    const feed = createFeed<number>();
    feed.iterate();
    expect(feed.offer(1)).toBeUndefined();
  });

  it('hands it to a consumer that asked for it', async () => {
    const feed = createFeed<number>();
    const asked = feed.iterate().next();
    expect(feed.offer(1)).toBeUndefined();
    expect(await asked).toEqual({ done: false, value: 1 });
  });

  it('waits until a consumer that is behind takes it', async () => {
    const feed = createFeed<number>();
    const iterator = feed.iterate();
    const first = iterator.next();
    void feed.offer(1);
    await first;
    const taken = feed.offer(2);
    expect(await settled(taken)).toBe(false);
    expect(await iterator.next()).toEqual({ done: false, value: 2 });
    expect(await settled(taken)).toBe(true);
  });

  it('waits for the slowest of several consumers, and gives each every value', async () => {
    const feed = createFeed<number>();
    const [fast, slow] = [feed.iterate(), feed.iterate()];
    const first = [fast.next(), slow.next(), fast.next()];
    void feed.offer(1);
    const taken = feed.offer(2);
    expect((await Promise.all(first)).map(({ value }) => value)).toEqual([1, 1, 2]);
    expect(await settled(taken)).toBe(false);
    expect(await slow.next()).toEqual({ done: false, value: 2 });
    expect(await settled(taken)).toBe(true);
  });

  it('no longer waits for a consumer that left', async () => {
    const feed = createFeed<number>();
    const iterator = feed.iterate();
    void iterator.next();
    void feed.offer(1);
    const taken = feed.offer(2);
    await iterator.return?.();
    expect(await settled(taken)).toBe(true);
    expect(feed.offer(3)).toBeUndefined();
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });
});

describe('finishing', () => {
  it('ends pending and later calls of next, and releases the pending offer', async () => {
    const feed = createFeed<number>();
    const [asking, behind] = [feed.iterate(), feed.iterate()];
    const asked = [asking.next(), asking.next(), behind.next()];
    void feed.offer(1);
    const taken = feed.offer(2);
    feed.finish();
    expect(await settled(taken)).toBe(true);
    expect((await Promise.all(asked)).map(({ value }) => value)).toEqual([1, 2, 1]);
    for (const iterator of [asking, behind, feed.iterate()]) {
      expect(await iterator.next()).toEqual({ done: true, value: undefined });
    }
  });

  it('with an error throws it once in each iterator, whether it asks before or after', async () => {
    const feed = createFeed<number>();
    const error = new Error('failed');
    const [before, idle] = [feed.iterate(), feed.iterate()];
    const [first, second] = [before.next(), before.next()];
    feed.finish(error);
    feed.finish();
    await expect(first).rejects.toBe(error);
    expect(await second).toEqual({ done: true, value: undefined });
    for (const iterator of [idle, feed.iterate()]) {
      await expect(iterator.next()).rejects.toBe(error);
      expect(await iterator.next()).toEqual({ done: true, value: undefined });
    }
  });
});
