import fc from 'fast-check';
import type { Matcher } from '../internals.ts';

/** The possible actions, on few topics and peers to make them interact. Peers are picked modulo their number. */
export type Action =
  | { readonly do: 'publish'; readonly events: readonly PublishedEvent[] }
  | {
      readonly do: 'connect';
      readonly topics: readonly Matcher[];
      readonly granted: readonly Matcher[];
      readonly capacity: number;
      readonly from: 'head' | 'earliest';
    }
  | { readonly do: 'receive'; readonly peer: number; readonly bytes: number }
  | { readonly do: 'drop'; readonly peer: number }
  | { readonly do: 'reconnect'; readonly peer: number }
  | { readonly do: 'tick' }
  | { readonly do: 'turn' }
  | { readonly do: 'advance'; readonly milliseconds: number }
  | { readonly do: 'disconnect'; readonly peer: number }
  | { readonly do: 'restart' };

export interface PublishedEvent {
  readonly topics: readonly string[];
  readonly private: boolean;
  readonly size: number;
}

const topic = fc.constantFrom('a', 'b', 'user/1', 'user/2');
const matcher: fc.Arbitrary<Matcher> = fc.oneof(
  topic,
  fc.constantFrom({ pattern: 'user/:id' }, { pattern: '*' }, { pattern: 'none/*' }),
);
const peer = fc.nat(7);
const event = fc.record({
  topics: fc.uniqueArray(topic, { minLength: 1, maxLength: 2 }),
  private: fc.boolean(),
  size: fc.oneof(fc.nat(30), fc.constantFrom(500, 40_000)),
});

export const actions: fc.Arbitrary<readonly Action[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('publish' as const),
        events: fc.array(event, { minLength: 1, maxLength: 4 }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('connect' as const),
        topics: fc.array(matcher, { minLength: 1, maxLength: 3 }),
        granted: fc.array(matcher, { maxLength: 2 }),
        capacity: fc.constantFrom(1, 300, 2000, 100_000_000),
        from: fc.constantFrom('head' as const, 'head' as const, 'earliest' as const),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('receive' as const),
        peer,
        bytes: fc.constantFrom(1, 40, 200, 1000, 1e9),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('drop' as const), peer }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('reconnect' as const), peer }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('tick' as const) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('advance' as const),
        milliseconds: fc.constantFrom(10, 600, 5000, 40_000),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('disconnect' as const), peer }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
  ),
  { minLength: 1, maxLength: 60, size: 'max' },
);
