import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { NewEvent } from '../../protocol/event.ts';
import { HUB_TOPICS } from '../cluster/hub-topics.ts';
import { type PageData, Pages } from './pages.ts';
import { Sums } from './sums.ts';

/** A step at one of the nodes. */
type Step =
  | { readonly does: 'join' | 'leave'; readonly node: number; readonly topic: string; readonly who: string }
  | { readonly does: 'tell' | 'die' | 'close'; readonly node: number };

interface ModelNode {
  id: string;
  readonly pages: Pages;
  /** Topic → members: what the node has, and what it has told. */
  readonly own: Map<string, Set<string>>;
  told: Map<string, Set<string>>;
}

const TOPICS = ['a', 'b'];
const PEOPLE = Array.from({ length: 150 }, (_, i) => `user-${i}`);

/** The log of the model: leases that begin and end, and pages. */
type Entry = { readonly begins: string } | { readonly ends: string } | { readonly page: NewEvent };

function applyTo(sums: Sums, entry: Entry, seq: number): void {
  if ('begins' in entry) return sums.begin(entry.begins);
  if ('ends' in entry) return sums.end(entry.ends);
  const { topics, key = '', tombstone, data } = entry.page;
  const node = topics[0].slice(HUB_TOPICS.members.length);
  sums.set(node, key, tombstone ? undefined : { ...(JSON.parse(data) as PageData), seq });
}

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      does: fc.constantFrom('join' as const, 'join' as const, 'leave' as const),
      node: fc.nat(2),
      topic: fc.constantFrom(...TOPICS),
      who: fc.constantFrom(...PEOPLE),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constantFrom('tell' as const, 'tell' as const, 'die' as const, 'close' as const),
      node: fc.nat(2),
    }),
  },
);

test('the sum over nodes that come, tell, die and come back is who they told of, each once, on every reader', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const log: Entry[] = [];
      const changed = new Set<string>();
      const sums = new Sums((topic) => changed.add(topic));
      const append = (entry: Entry): void => {
        log.push(entry);
        applyTo(sums, entry, log.length);
      };
      let lives = 0;
      const nodes = [0, 1, 2].map((): ModelNode => {
        const id = `n${(lives += 1)}`;
        append({ begins: id });
        return { id, pages: new Pages(), own: new Map(), told: new Map() };
      });
      const tell = (node: ModelNode): void => {
        for (const [, page] of node.pages.take(node.id)) append({ page });
        node.told = new Map([...node.own].map(([topic, who]) => [topic, new Set(who)]));
      };
      const startOver = (node: ModelNode): void => {
        append({ ends: node.id });
        node.told = new Map();
        node.id = `n${(lives += 1)}`;
        node.pages.putBackAll();
        append({ begins: node.id });
      };
      for (const each of steps) {
        const node = nodes[each.node] as ModelNode;
        if (each.does === 'join') {
          node.pages.set(each.topic, { id: each.who });
          node.own.set(each.topic, (node.own.get(each.topic) ?? new Set()).add(each.who));
        } else if (each.does === 'leave') {
          node.pages.delete(each.topic, each.who);
          node.own.get(each.topic)?.delete(each.who);
        } else if (each.does === 'tell') tell(node);
        else if (each.does === 'die') startOver(node);
        else {
          startOver(node);
          tell(node);
        }
        for (const topic of TOPICS) {
          const expected = new Set(nodes.flatMap(({ told }) => [...(told.get(topic) ?? [])]));
          const { count, members } = sums.of(topic, Infinity);
          expect(count).toBe(expected.size);
          expect(new Set(members.map(({ id }) => id))).toEqual(expected);
        }
      }
      // Somebody who comes later reads pages before the leases that are renewed after them.
      const late = new Sums(() => {});
      const leases = log.filter((entry) => 'begins' in entry || 'ends' in entry);
      for (const [i, entry] of log.entries()) if ('page' in entry) applyTo(late, entry, i + 1);
      for (const entry of leases) applyTo(late, entry, 0);
      for (const topic of TOPICS) {
        const ids = (each: Sums): string[] =>
          each
            .of(topic, Infinity)
            .members.map(({ id }) => id)
            .sort();
        expect(ids(late)).toEqual(ids(sums));
      }
      // Only the leftovers of dead nodes can be deleted.
      const alive = new Set(nodes.map(({ id }) => id));
      for (const [node] of sums.leftovers()) expect(alive.has(node)).toBe(false);
    }),
    { numRuns: 200 },
  );
});

test('a change of one member writes one small page, however many there are', () => {
  const pages = new Pages();
  for (let i = 0; i < 5000; i += 1) pages.set('room', { id: `user-${i}` });
  expect(pages.take('n').length).toBe(79);
  pages.delete('room', 'user-77');
  const events = pages.take('n');
  expect(events.length).toBe(1);
  expect((JSON.parse(events[0]?.[1].data ?? '') as PageData).members.length).toBe(63);
});
