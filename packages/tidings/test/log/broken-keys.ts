/** Logs that fail their duties for keys that expire and for conditions. */
import type { EventLog } from '../../src/log/event-log.ts';
import type { NewEvent } from '../../src/protocol/event.ts';
import { type BrokenLog, changing, withFault } from './broken-logs.ts';

const isTombstone = ({ tombstone, data }: NewEvent): boolean => tombstone && data === 'null';

export const brokenKeys: readonly BrokenLog[] = [
  [
    'never deletes a key by itself',
    'deletes a key by a tombstone once its time to live has passed',
    withFault(changing(({ ttl: _, ...event }) => event)),
  ],
  [
    'doesn’t know when the next key expires',
    'deletes a key by a tombstone once its time to live has passed',
    withFault(() => ({
      get nextExpiry() {
        return Infinity;
      },
    })),
  ],
  [
    'deletes keys only when it is trimmed',
    'deletes expired keys before it appends anything newer',
    (options) => {
      // Time stands still between trims.
      let now = options.now();
      const log = withFault(() => ({}))({ ...options, now: () => now });
      return Object.create(log, {
        trim: {
          value: (at: number) => {
            now = at;
            return log.trim(at);
          },
        },
      }) as EventLog;
    },
  ],
  [
    'deletes no key until its clock is back where it was',
    'deletes keys in time after the clock was set back, without appends',
    withFault((log, { now }) => {
      let newest = -Infinity;
      return {
        append: (events) => {
          newest = Math.max(newest, now());
          return log.append(events);
        },
        trim: async (at) => {
          if (at >= newest) await log.trim(at);
        },
      };
    }),
  ],
  [
    'takes each time to live for twice as long',
    'deletes expired keys before it appends anything newer',
    withFault(changing((event) => (event.ttl === undefined ? event : { ...event, ttl: 2 * event.ttl }))),
  ],
  [
    'counts the first time to live of a key',
    'counts the time to live of a key’s newest value only',
    withFault((log) => {
      const first = new Map<string, number>();
      return {
        append: (events) => {
          const given = events.map((event) => {
            const { key = '', ttl } = event;
            if (ttl !== undefined && !first.has(key)) first.set(key, ttl);
            return event.ttl === undefined && first.has(key) ? { ...event, ttl: first.get(key) } : event;
          });
          return log.append(given);
        },
      };
    }),
  ],
  [
    'forgets keys beyond the first thousand that expire',
    'deletes many keys that expire at once, in steps if need be',
    withFault(
      changing(({ ttl, ...event }) =>
        ttl !== undefined && Number(event.data) < 1000 ? { ...event, ttl } : event,
      ),
    ),
  ],
  [
    'deletes a key publicly',
    'deletes a key for everybody who could read one of its values',
    withFault((log) => ({
      read: async (query) => {
        const page = await log.read(query);
        const entries = page.entries.map((entry) =>
          isTombstone(entry) ? { ...entry, private: false } : entry,
        );
        return { ...page, entries };
      },
    })),
  ],
  [
    'deletes a key only for readers of its newest value',
    'deletes a key for everybody who could read one of its values',
    withFault((log) => ({
      read: async (query) => {
        const page = await log.read(query);
        const entries = page.entries.map((entry) =>
          isTombstone(entry) ? { ...entry, private: true } : entry,
        );
        return { ...page, entries };
      },
    })),
  ],
  [
    'ignores conditions',
    'appends an event under a condition only if its key’s value is the one expected',
    withFault(changing(({ ifSeq: _, ...event }) => event)),
  ],
  [
    'appends the rest of a call whose condition fails',
    'appends nothing of a call with a condition that fails, and all of other calls',
    withFault((log) => ({
      append: async (events) => {
        const answers = [];
        for (const event of events) answers.push(...(await log.append([event])));
        return answers;
      },
    })),
  ],
  [
    'takes an expired key’s value for present',
    'takes an expired key for one without a value',
    withFault(changing(({ ttl: _, ...event }) => event)),
  ],
  [
    'judges the condition of an event that it has',
    'answers an event under a condition that it has already as a duplicate',
    withFault(changing((event) => (event.ifSeq === undefined ? event : { ...event, id: undefined }))),
  ],
];
