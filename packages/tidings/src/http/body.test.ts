import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createGate } from '../../test/http/deadline.ts';
import { readJson } from './body.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A body whose peer sends its end when the gate opens. */
async function* slow(text: string, end: Promise<void>): AsyncGenerator<Uint8Array> {
  yield encode(text);
  await end;
  yield encode('"');
}

describe('Bodies', () => {
  test('may come in any pieces, also within a character', async () => {
    const bytes = encode('{"é":"😀"}');
    expect(await readJson(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual({ é: '😀' });
    const long = encode(JSON.stringify('x'.repeat(100_000)));
    expect(await readJson(Array.from(long, (byte) => Uint8Array.of(byte)))).toHaveLength(100_000);
  });

  test('are refused beyond 256 KiB, and if they hold more than any change', async () => {
    const long = (length: number): Uint8Array => encode(JSON.stringify('x'.repeat(length - 2)));
    expect(await readJson([long(262_144)])).toHaveLength(262_142);
    await expect(readJson([long(262_145)])).rejects.toMatchObject({ code: 'request/body-too-large' });
    const many = encode(`[${'0,'.repeat(10_000)}0]`);
    await expect(readJson([many])).rejects.toMatchObject({ code: 'request/invalid-body' });
    await expect(readJson([encode('['.repeat(100_000))])).rejects.toMatchObject({
      code: 'request/invalid-body',
    });
  });

  test('that are long are refused while too many of them are on their way; short ones are not', async () => {
    const rest = createGate();
    const text = `"${'x'.repeat(200_000)}`;
    const bodies = Array.from({ length: 40 }, () => readJson(slow(text, rest.passed)));
    const outcomes = Promise.allSettled(bodies);
    expect(await readJson([encode('"short"')])).toBe('short');
    await expect(readJson([encode(`${text}"`)])).rejects.toMatchObject({ code: 'limit/rate', status: 429 });
    rest.open();
    const taken = (await outcomes).filter(({ status }) => status === 'fulfilled');
    expect(taken).toHaveLength(32);
    expect(await readJson([encode(`${text}"`)])).toHaveLength(200_000);
  });

  test('that are long leave room for other addresses, unless they come from where a proxy may be', async () => {
    const rest = createGate();
    const text = `"${'x'.repeat(200_000)}`;
    const open = (remote: string) => readJson(slow(text, rest.passed), remote);
    const whole = (remote: string) => readJson([encode(`${text}"`)], remote);
    const from = Array.from({ length: 20 }, (_, i) => open(`2001:db8::${i + 1}`));
    const proxied = Array.from({ length: 20 }, () => open('10.0.0.1'));
    const outcomes = Promise.all([from, proxied].map((bodies) => Promise.allSettled(bodies)));
    await expect(whole('2001:db8::ffff')).rejects.toMatchObject({ code: 'limit/rate', status: 429 });
    expect(await whole('2001:db8:0:1::1')).toHaveLength(200_000);
    rest.open();
    const taken = (await outcomes).map((all) => all.filter(({ status }) => status === 'fulfilled').length);
    expect(taken).toEqual([8, 20]);
    expect(await whole('2001:db8::ffff')).toHaveLength(200_000);
  });

  test('that are long and never end take no room once their time is over', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const never = createGate();
    const text = `"${'x'.repeat(200_000)}`;
    const outcomes = Promise.allSettled(Array.from({ length: 32 }, () => readJson(slow(text, never.passed))));
    await expect(readJson([encode(`${text}"`)])).rejects.toMatchObject({ code: 'limit/rate' });
    vi.advanceTimersByTime(10_000);
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'request/timeout' } });
    expect(await readJson([encode(`${text}"`)])).toHaveLength(200_000);
  });
});
