import { expect, it, vi } from 'vitest';
import { createChannel, reportUncaught } from './channel.ts';

it('calls listeners in the order they were added, with all arguments', () => {
  const channel = createChannel<[string, number]>();
  const calls: string[] = [];
  channel.add((name, count) => calls.push(`first ${name} ${count}`));
  channel.add((name, count) => calls.push(`second ${name} ${count}`));
  channel.emit('a', 1);
  expect(calls).toEqual(['first a 1', 'second a 1']);
});

it('keeps two additions of the same listener apart', () => {
  const channel = createChannel<[]>();
  const listener = vi.fn();
  const remove = channel.add(listener);
  channel.add(listener);
  remove();
  remove();
  channel.emit();
  expect(listener).toHaveBeenCalledTimes(1);
  expect(channel.size).toBe(1);
});

it('does not call a listener that one before it removed, nor one that it added', () => {
  const channel = createChannel<[]>();
  const late = vi.fn();
  channel.add(() => {
    remove();
    channel.add(late);
  });
  const removed = vi.fn();
  const remove = channel.add(removed);
  channel.emit();
  expect(removed).not.toHaveBeenCalled();
  expect(late).not.toHaveBeenCalled();
});

it('reports the error of a listener as uncaught and calls the others', () => {
  const reportError = vi.fn();
  vi.stubGlobal('reportError', reportError);
  const channel = createChannel<[]>();
  const error = new Error('a bug of the app');
  channel.add(() => {
    throw error;
  });
  const other = vi.fn();
  channel.add(other);
  channel.emit();
  vi.unstubAllGlobals();
  expect(reportError).toHaveBeenCalledExactlyOnceWith(error);
  expect(other).toHaveBeenCalledTimes(1);
});

it('throws the error from a task of its own where there is no reportError', () => {
  const error = new Error('a bug of the app');
  const tasks: (() => void)[] = [];
  reportUncaught(error, { queueMicrotask: (task) => void tasks.push(task) });
  expect(tasks).toHaveLength(1);
  expect(tasks[0]).toThrow(error);
});
