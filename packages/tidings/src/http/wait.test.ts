import { expect, onTestFinished, test, vi } from 'vitest';
import { until } from '../../test/http/deadline.ts';
import type { OwnConnection } from '../hub/gateway.ts';
import { answerAndEnd } from './wait.ts';

/** A connection at the head of the log, whose end takes a millisecond. */
function liveConnection(onEnd: () => void): OwnConnection {
  const info = { phase: 'live' };
  return {
    info,
    open: (sink: { write(bytes: Uint8Array): boolean }) => void sink.write(new Uint8Array()),
    onClose: () => {},
    end() {
      info.phase = 'closed';
      onEnd();
    },
  } as unknown as OwnConnection;
}

test('Many answers that are due at once end over several turns of the event loop', async () => {
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  onTestFinished(() => clock.mockRestore());
  let ended = 0;
  for (let i = 0; i < 100; i += 1) {
    const onEnd = (): void => {
      ended += 1;
      now += 1;
    };
    answerAndEnd(liveConnection(onEnd), 0).open({ write: () => true, end() {}, destroy() {} }, '');
  }
  const steps: number[] = [];
  for (let before = 0; ended < 100; before = ended) {
    await new Promise<void>((resolve) => void setImmediate(resolve));
    steps.push(ended - before);
  }
  // A timer and an immediate can fall between two looks of this test.
  expect(Math.max(...steps)).toBeLessThanOrEqual(10);
});

test('An answer whose end throws does not keep the others from theirs', async () => {
  const careless = (): void => {
    throw new Error('careless');
  };
  const thrown: unknown[] = [];
  const others = process.rawListeners('uncaughtException') as (() => void)[];
  process.removeAllListeners('uncaughtException').on('uncaughtException', (error) => thrown.push(error));
  onTestFinished(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of others) process.on('uncaughtException', listener);
  });
  let ended = 0;
  for (const onEnd of [careless, () => (ended += 1), careless, () => (ended += 1)])
    answerAndEnd(liveConnection(onEnd), 0).open({ write: () => true, end() {}, destroy() {} }, '');
  await until('both ended', () => ended === 2);
  expect(thrown).toHaveLength(2);
});
