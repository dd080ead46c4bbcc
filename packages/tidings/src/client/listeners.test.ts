import { afterEach, expect, it, vi } from 'vitest';
import { createListeners, reportUncaught, type Signals } from './listeners.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

it('calls listeners in the order they were added, with all arguments', () => {
  const listeners = createListeners<Signals>();
  const calls: string[] = [];
  listeners.add('comment', (text) => calls.push(`first ${text}`));
  listeners.add('status', (status) => calls.push(`other ${status}`));
  listeners.add('comment', (text) => calls.push(`second ${text}`));
  listeners.emit('comment', 'a');
  expect(calls).toEqual(['first a', 'second a']);
});

it('keeps two additions of the same listener apart', () => {
  const listeners = createListeners<Signals>();
  const listener = vi.fn();
  const remove = listeners.add('comment', listener);
  listeners.add('comment', listener);
  remove();
  remove();
  listeners.emit('comment', 'a');
  expect(listener).toHaveBeenCalledTimes(1);
});

it('lets a listener come back after the last one of its name has gone', () => {
  const listeners = createListeners<Signals>();
  const listener = vi.fn();
  const remove = listeners.add('comment', listener);
  remove();
  listeners.add('comment', listener);
  remove();
  listeners.emit('comment', 'a');
  expect(listener).toHaveBeenCalledTimes(1);
});

it('does not call a listener that one before it removed, nor one that it added', () => {
  const listeners = createListeners<Signals>();
  const late = vi.fn();
  listeners.add('comment', () => {
    remove();
    listeners.add('comment', late);
  });
  const removed = vi.fn();
  const remove = listeners.add('comment', removed);
  listeners.emit('comment', 'a');
  expect(removed).not.toHaveBeenCalled();
  expect(late).not.toHaveBeenCalled();
});

it('calls none of those that are left when one of them clears all', () => {
  const listeners = createListeners<Signals>();
  const later = vi.fn();
  listeners.add('comment', () => listeners.clear());
  listeners.add('comment', later);
  listeners.emit('comment', 'a');
  expect(later).not.toHaveBeenCalled();
});

it('reports the error of a listener as uncaught and calls the others', () => {
  const reportError = vi.fn();
  vi.stubGlobal('reportError', reportError);
  const listeners = createListeners<Signals>();
  const error = new Error('a bug of the app');
  listeners.add('comment', () => {
    throw error;
  });
  const other = vi.fn();
  listeners.add('comment', other);
  listeners.emit('comment', 'a');
  expect(reportError).toHaveBeenCalledExactlyOnceWith(error);
  expect(other).toHaveBeenCalledTimes(1);
});

it('throws the error from a task of its own where there is no reportError', () => {
  const error = new Error('a bug of the app');
  const tasks: (() => void)[] = [];
  vi.stubGlobal('reportError', undefined);
  vi.stubGlobal('queueMicrotask', (task: () => void) => void tasks.push(task));
  reportUncaught(error);
  expect(tasks).toHaveLength(1);
  expect(tasks[0]).toThrow(error);
});
