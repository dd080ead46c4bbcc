import { describe, expect, test } from 'vitest';
import { memoryLog } from '../logs/memory/index.ts';
import { systemClock } from './clock.ts';
import { type HubOptions, resolveOptions } from './options.ts';

const log = memoryLog();

function resolve(options: Record<string, unknown>): ReturnType<typeof resolveOptions> {
  return resolveOptions({ ...(options as HubOptions), log });
}

describe('options of a hub', () => {
  test('have the defaults that their documentation names', () => {
    const { onError, ...defaults } = resolve({});
    expect(defaults).toMatchObject({
      log,
      heartbeat: 15_000,
      retry: 2000,
      flushWindow: 0,
      stallTimeout: 30_000,
      maxLifetime: 3_600_000,
      expiryNotice: 30_000,
      presence: [],
      limits: {
        topicLength: 1024,
        topicsPerEvent: 16,
        eventLength: 1_048_576,
        connections: 10_000,
        connectionsPerSubject: Infinity,
        connectionsPerAddress: 200,
        topicsPerConnection: 100,
        patternsPerConnection: 10,
        matcherLengthPerConnection: 16_384,
      },
      clock: systemClock,
      random: Math.random,
    });
    expect(onError).toBeTypeOf('function');
  });

  test('change one limit and leave the others', () => {
    expect(resolve({ limits: { connections: 5 } }).limits).toMatchObject({
      connections: 5,
      topicsPerEvent: 16,
    });
  });

  test.each([
    { heartbeat: 1 },
    { retry: 0 },
    { flushWindow: 0 },
    { flushWindow: 0.5 },
    { stallTimeout: Infinity },
    { maxLifetime: Infinity },
    { limits: { connections: 1 } },
    { limits: { eventLength: Infinity } },
  ])('may be at the edge: %o', (options) => {
    expect(resolve(options)).toMatchObject(options);
  });

  test.each([
    ['heartbeat', { heartbeat: 0 }],
    ['heartbeat', { heartbeat: -1 }],
    ['heartbeat', { heartbeat: NaN }],
    ['heartbeat', { heartbeat: '15000' }],
    // The welcome contains it as a number, and JSON has no infinity.
    ['heartbeat', { heartbeat: Infinity }],
    ['retry', { retry: -1 }],
    ['retry', { retry: NaN }],
    ['retry', { retry: '2s' }],
    ['retry', { retry: Infinity }],
    ['flushWindow', { flushWindow: -1 }],
    ['flushWindow', { flushWindow: NaN }],
    ['flushWindow', { flushWindow: Infinity }],
    ['stallTimeout', { stallTimeout: 0 }],
    ['stallTimeout', { stallTimeout: NaN }],
    ['maxLifetime', { maxLifetime: 0 }],
    ['maxLifetime', { maxLifetime: 5n }],
    ['maxLifetime', { maxLifetime: null }],
    ['limits.connections', { limits: { connections: 0 } }],
    ['limits.connectionsPerSubject', { limits: { connectionsPerSubject: '9' } }],
    ['limits.connectionsPerAddress', { limits: { connectionsPerAddress: NaN } }],
    ['limits.topicsPerConnection', { limits: { topicsPerConnection: -1 } }],
    ['limits.topicsPerEvent', { limits: { topicsPerEvent: 0 } }],
    ['limits.topicLength', { limits: { topicLength: null } }],
    ['limits.eventLength', { limits: { eventLength: {} } }],
  ])('are refused by name: %s in %o', (option, options) => {
    expect(() => resolve(options)).toThrow(
      expect.objectContaining({
        code: 'hub/invalid-option',
        details: expect.objectContaining({ option }),
      }),
    );
  });
});
