import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TidingsError } from '../protocol/tidings-error.ts';
import {
  begin,
  type Effect,
  type Input,
  type Order,
  type Phase,
  type State,
  type Step,
  transition,
} from './topics-machine.ts';

const credentials = { connection: 'c1', secret: 's' };
const error = new TidingsError('client/closed', 'closed');
const order = (id: number, ...add: string[]): Order => ({ id, add, drop: [] });
const firstFrame = (cursor = 'e.1') => ({ credentials, cursor, announced: true });
const run = (state: State, ...inputs: Input[]): Step =>
  inputs.reduce<Step>(
    (step, input) => {
      const next = transition(step.state, input);
      return { state: next.state, effects: [...step.effects, ...next.effects] };
    },
    { state, effects: [] },
  );
const types = ({ state, effects }: Step): string[] => [state.phase, ...effects.map(({ type }) => type)];

const away = begin({ matchers: ['a'], settled: false, session: undefined });
const idle = begin({ matchers: ['a'], settled: true, session: firstFrame() });
const asking = run(idle, { type: 'wish', order: order(1, 'b') }).state;
const over = run(idle, { type: 'finish', error }).state;
const states: Record<Phase, State> = { away, idle, asking, over };

const inputs: { [I in Input['type']]: Extract<Input, { type: I }> } = {
  wish: { type: 'wish', order: order(2, 'c') },
  request: { type: 'request', cursor: 'e.1', whole: false },
  welcomed: { type: 'welcomed', first: firstFrame() },
  marked: { type: 'marked', told: undefined },
  left: { type: 'left' },
  begin: { type: 'begin' },
  replied: { type: 'replied', reply: { type: 'changed', cursor: 'e.2' } },
  finish: { type: 'finish', error },
};

/**
 * The phase that each input leads to, and the effects on the way; inputs that aren't listed keep the phase and do
 * nothing.
 */
const expected: Record<Phase, Partial<Record<Input['type'], string[]>>> = {
  away: { welcomed: ['idle'], left: ['away', 'cancel'], finish: ['over', 'cancel'] },
  idle: { wish: ['asking', 'ask'], left: ['away', 'cancel'], finish: ['over', 'cancel'] },
  asking: {
    replied: ['idle', 'resolve'],
    left: ['away', 'cancel'],
    finish: ['over', 'cancel', 'reject'],
  },
  over: { wish: ['over', 'reject'] },
};

describe.each(Object.keys(states) as Phase[])('while %s', (phase) => {
  it.each(Object.keys(inputs) as Input['type'][])('%s leads where the table says', (type) => {
    expect(states[phase].phase).toBe(phase);
    expect(types(run(states[phase], inputs[type]))).toEqual(expected[phase][type] ?? [phase]);
  });
});

describe('an order', () => {
  it('waits for the one before it', () => {
    const two = run(asking, inputs.wish);
    expect(types(two)).toEqual(['asking']);
    const { effects } = run(two.state, inputs.replied);
    expect(effects).toMatchObject([
      { type: 'resolve', order: { id: 1 }, cursor: 'e.2' },
      { type: 'ask', change: { ...credentials, add: ['c'] } },
    ]);
  });

  it('that would leave no topic is rejected without a request, and the next one is carried out', () => {
    const none: Input = { type: 'wish', order: { id: 2, add: [], drop: ['a'] } };
    expect(run(idle, none).effects).toMatchObject([{ type: 'reject', error: { code: 'topic/missing' } }]);
    const { state, effects } = run(
      asking,
      { type: 'wish', order: { id: 2, add: [], drop: ['a', 'b'] } },
      inputs.replied,
    );
    expect(effects.map(({ type }) => type)).toEqual(['resolve', 'reject']);
    expect(state).toMatchObject({ phase: 'idle', orders: [] });
  });

  it('that the server refuses is rejected, and changes nothing', () => {
    const failure = { type: 'refused', error } as const;
    const { state, effects } = run(asking, { type: 'replied', reply: { type: 'refused', failure } });
    expect(effects).toMatchObject([{ type: 'reject', order: { id: 1 }, error }]);
    expect([...state.topics.keys()]).toEqual(['a']);
  });

  it('is carried out by a new connection when requests have missed their server twice', () => {
    const missed: Input = { type: 'replied', reply: { type: 'missed', error } };
    const once = run(asking, missed, inputs.left, inputs.request, inputs.welcomed);
    expect(once.effects.map(({ type }) => type)).toEqual(['replace', 'cancel', 'ask']);
    const twice = run(once.state, missed, inputs.left, inputs.request);
    expect(twice.state.request).toEqual({ matchers: ['a', 'b'], asNew: true, cursor: 'e.1' });
    expect(run(twice.state, inputs.welcomed).effects).toMatchObject([{ type: 'resolve', order: { id: 1 } }]);
  });

  it('is so, too, if each connection first has to add topics again, which the server does', () => {
    const request: Input = { type: 'request', cursor: 'e.1', whole: false };
    const welcomed: Input = { type: 'welcomed', first: firstFrame() };
    const missed: Input = { type: 'replied', reply: { type: 'missed', error } };
    const changed: Input = { type: 'replied', reply: { type: 'changed', cursor: 'e.1' } };
    // 'b' is added, but the stream never says so.
    let { state } = run(asking, changed, { type: 'wish', order: order(2, 'c') });
    const carriedOut: Effect[] = [];
    for (let connections = 0; carriedOut.length === 0 && connections < 4; connections += 1) {
      const step = run(state, missed, request, welcomed, changed);
      ({ state } = step);
      carriedOut.push(...step.effects.filter(({ type }) => type === 'resolve'));
    }
    expect(carriedOut).toEqual([{ type: 'resolve', order: order(2, 'c'), cursor: 'e.1' }]);
  });

  it('is carried out by a new connection if this one can’t be changed', () => {
    const plain = begin({
      matchers: ['a'],
      settled: true,
      session: { ...firstFrame(), credentials: undefined },
    });
    const step = run(plain, inputs.wish, inputs.left, inputs.request);
    expect(step.effects.map(({ type }) => type)).toEqual(['replace', 'cancel']);
    expect(step.state.request.matchers).toEqual(['a', 'c']);
  });
});

describe('topics that don’t fit into a URL', () => {
  const many = Array.from({ length: 100 }, (_, i) => `${i}-${'x'.repeat(200)}`);
  const first = run(begin({ matchers: many, settled: false, session: undefined }), {
    type: 'request',
    cursor: undefined,
    whole: false,
  });

  it('are added to the connection, without a gap if nothing was promised', () => {
    const asked = first.state.request.matchers;
    expect(asked.length).toBeGreaterThan(20);
    expect(asked.map(String).join('').length).toBeLessThan(6_000);
    const { state, effects } = run(first.state, inputs.welcomed, inputs.replied);
    expect(effects).toMatchObject([{ type: 'ask', change: { add: many.slice(asked.length) } }]);
    expect(state.phase).toBe('idle');
  });

  it('have a gap if something was published before they were added again', () => {
    const later = run(
      begin({ matchers: many, settled: true, session: undefined }),
      inputs.request,
      inputs.welcomed,
    );
    const changed = (cursor: string): Input => ({ type: 'replied', reply: { type: 'changed', cursor } });
    expect(run(later.state, changed('e.1')).effects).toEqual([]);
    expect(run(later.state, changed('e.9')).effects).toEqual([
      { type: 'lost', matchers: many.slice(later.state.request.matchers.length) },
    ]);
  });

  it('all go into the URL for a server that allows no changes', () => {
    const plain: Input = {
      type: 'welcomed',
      first: { ...firstFrame(), credentials: undefined, announced: false },
    };
    const { state, effects } = run(first.state, plain, inputs.request);
    expect(effects).toEqual([{ type: 'replace' }]);
    expect(state.request.matchers).toEqual(many);
  });
});

it('a state that the app has loaded anew is requested as of the new cursor', () => {
  const { state } = run(idle, inputs.left, inputs.begin, { ...inputs.request, cursor: 'e.7' });
  expect(state.request).toEqual({ matchers: ['a'], asNew: true, cursor: 'e.7' });
});

it('answers each order once, asks only while connected, and one thing at a time', () => {
  let ids = 0;
  const wish = fc
    .record({ add: fc.subarray(['a', 'b', 'c']), drop: fc.subarray(['a', 'b', 'c']) })
    .map((wanted): Input => ({ type: 'wish', order: { id: (ids += 1), ...wanted } }));
  const reply = fc.constantFrom<Input>(
    inputs.replied,
    { type: 'replied', reply: { type: 'missed', error } },
    { type: 'replied', reply: { type: 'refused', failure: { type: 'refused', error } } },
  );
  const anyInput = fc.oneof(
    { weight: 4, arbitrary: wish },
    { weight: 4, arbitrary: reply },
    {
      weight: 4,
      arbitrary: fc.constantFrom<Input>(inputs.request, inputs.welcomed, inputs.marked, inputs.left),
    },
    { weight: 1, arbitrary: fc.constantFrom<Input>(inputs.begin, inputs.finish) },
  );
  fc.assert(
    fc.property(fc.array(anyInput, { maxLength: 60 }), (sequence) => {
      let state = away;
      const open = new Set<number>();
      for (const input of sequence) {
        if (input.type === 'wish') open.add(input.order.id);
        const before = state;
        const step = transition(state, input);
        state = step.state;
        const asks = step.effects.filter(({ type }) => type === 'ask');
        expect(asks.length).toBeLessThanOrEqual(1);
        if (asks.length === 1) {
          expect(state.phase).toBe('asking');
          expect(before.phase === 'asking' && input.type !== 'replied').toBe(false);
        }
        for (const effect of step.effects) settle(open, effect);
        expect([...open]).toEqual(state.orders.map(({ id }) => id));
      }
    }),
  );

  function settle(open: Set<number>, effect: Effect): void {
    if (effect.type === 'resolve' || effect.type === 'reject')
      expect(open.delete(effect.order.id)).toBe(true);
  }
});
