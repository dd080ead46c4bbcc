import { expect, test, vi } from 'vitest';
import { createHub } from '../index.ts';

test('A global hub is made once, however often its module is loaded', async () => {
  const make = vi.fn(() => createHub());
  const first = await import('./global-hub.ts');
  vi.resetModules();
  const second = await import('./global-hub.ts');
  expect(second.globalHub).not.toBe(first.globalHub);
  const hub = first.globalHub(make, 'loaded twice');
  expect(second.globalHub(make, 'loaded twice')).toBe(hub);
  expect(second.globalHub(make, 'another')).not.toBe(hub);
  expect(make).toHaveBeenCalledTimes(2);
  await hub.close();
  expect(first.globalHub(make, 'loaded twice')).not.toBe(hub);
});

test('A global hub has to be a hub', async () => {
  const { globalHub } = await import('./global-hub.ts');
  const invalid = expect.objectContaining({ code: 'hub/invalid-option' }) as Error;
  expect(() => globalHub(createHub() as never, 'x')).toThrow(invalid);
  expect(() => globalHub(() => ({}) as never, 'x')).toThrow(invalid);
});
