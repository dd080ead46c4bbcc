import { expect, test } from 'vitest';
import { QueueFullError, createQueue } from './queue.ts';

/** A task that ends on command. */
function held(log: string[], name: string): { task: () => Promise<string>; end: () => void } {
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return {
    end: () => end(),
    task: async () => {
      log.push(name);
      await ended;
      return name;
    },
  };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('runs tasks one after the other, in the given order', async () => {
  const queue = createQueue({ maxWaiting: 10 });
  const log: string[] = [];
  const [a, b] = [held(log, 'a'), held(log, 'b')];
  const results = Promise.all([queue.run(a.task), queue.run(b.task)]);
  b.end();
  await settle();
  expect(log).toEqual(['a']);
  expect(queue.waiting).toBe(1);
  a.end();
  expect(await results).toEqual(['a', 'b']);
  expect(log).toEqual(['a', 'b']);
});

test('runs as many tasks at once as its width', async () => {
  const queue = createQueue({ width: 2, maxWaiting: 10 });
  const log: string[] = [];
  const tasks = ['a', 'b', 'c'].map((name) => held(log, name));
  const results = Promise.all(tasks.map(({ task }) => queue.run(task)));
  await settle();
  expect(log).toEqual(['a', 'b']);
  for (const { end } of tasks) end();
  expect(await results).toEqual(['a', 'b', 'c']);
});

test('goes on after a task that failed', async () => {
  const queue = createQueue({ maxWaiting: 10 });
  const failed = queue.run(() => Promise.reject(new Error('no')));
  const next = queue.run(() => Promise.resolve('next'));
  await expect(failed).rejects.toThrow();
  expect(await next).toBe('next');
  expect(queue.waiting).toBe(0);
});

test('refuses a task once it is full, and takes more when one has run', async () => {
  const queue = createQueue({ maxWaiting: 2 });
  const log: string[] = [];
  const tasks = ['a', 'b', 'c'].map((name) => held(log, name));
  const results = tasks.map(({ task }) => queue.run(task));
  await expect(queue.run(() => Promise.resolve())).rejects.toBeInstanceOf(QueueFullError);
  results.push(queue.runAnyway(() => Promise.resolve('own')));
  for (const { end } of tasks) end();
  expect(await Promise.all(results)).toEqual(['a', 'b', 'c', 'own']);
  await expect(queue.run(() => Promise.resolve('again'))).resolves.toBe('again');
});
