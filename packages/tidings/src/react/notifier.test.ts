import { afterEach, expect, it, vi } from 'vitest';
import { createNotifier } from './notifier.ts';

afterEach(() => vi.unstubAllGlobals());

it('a component that throws when it learns of a change keeps no other from learning of it', async () => {
  const reportError = vi.fn();
  vi.stubGlobal('reportError', reportError);
  const notifier = createNotifier();
  const error = new Error('Maximum update depth exceeded.');
  const told: string[] = [];
  const fails = (): never => {
    throw error;
  };
  notifier.changed({ listeners: new Set([fails, () => told.push('beside it')]) });
  notifier.changed({ listeners: new Set([() => told.push('of another value')]) });
  await Promise.resolve();
  expect(told).toEqual(['beside it', 'of another value']);
  expect(reportError.mock.calls).toEqual([[error]]);
});
