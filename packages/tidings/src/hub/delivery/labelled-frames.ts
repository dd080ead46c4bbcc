import type { LogEntry } from '../../log/entry.ts';
import { concat } from '../../protocol/bytes.ts';
import { LABEL, type Label } from '../../protocol/control.ts';
import { encodeFrame } from '../../protocol/encode.ts';
import { type Matcher, PRESENCE_PREFIX } from '../../protocol/matcher.ts';
import { type MatcherSet, createMatcherSet, matcherOf } from '../../protocol/matcher-set.ts';
import type { Format } from './format.ts';
import { frameOf, frames, textOf } from './frames.ts';

const encoder = new TextEncoder();
const NO_TOPICS = createMatcherSet([]);

/**
 * Frames for a connection that several readers share: before each event stands by which of the connection's matchers it
 * came, unless the event before it came by the same. Nothing is said of topics that the connection didn't ask for.
 */
function labelFor(wanted: MatcherSet, granted: MatcherSet): Format {
  function label(entry: LogEntry): string {
    return encodeLabel(matchersOf(entry, wanted, granted));
  }

  return {
    ...frames,
    name: 'labels',
    welcome: (welcome, retry, id, greeting) =>
      frames.welcome({ ...welcome, topics: wanted.matchers }, retry, id, greeting),
    events(entries, epoch, areShared) {
      const parts: Uint8Array[] = [];
      let text = '';
      let last = '';
      for (const entry of entries) {
        const next = label(entry);
        if (next !== last) text += next;
        last = next;
        if (!areShared) {
          text += textOf(entry, epoch);
          continue;
        }
        if (text !== '') parts.push(encoder.encode(text));
        text = '';
        parts.push(frameOf(entry, epoch));
      }
      return areShared ? concat(parts) : encoder.encode(text);
    },
    snapshot(entries, id) {
      const text = entries
        .map((entry) => label(entry) + encodeFrame({ type: entry.type, data: entry.data }))
        .join('');
      if (id !== undefined) return encoder.encode(text + encodeFrame({ id }));
      return text === '' ? undefined : encoder.encode(text);
    },
    alone: (text) => frames.alone(encodeLabel([]) + text),
    forTopics: labelFor,
  };
}

export const labelledFrames: Format = labelFor(NO_TOPICS, NO_TOPICS);

function encodeLabel(topics: readonly Matcher[]): string {
  const label: Label = { topics };
  return encodeFrame({ type: LABEL, data: JSON.stringify(label) });
}

/**
 * The matchers that would bring the event to a connection of their own: `mayRead` in `subscription.ts`, asked of each by
 * itself.
 */
function matchersOf(entry: LogEntry, wanted: MatcherSet, granted: MatcherSet): readonly Matcher[] {
  const { topics } = entry;
  const isPresence = topics[0].startsWith(PRESENCE_PREFIX);
  const matching = [
    ...topics.filter((topic) => wanted.topics.has(topic)),
    ...wanted.patterns.filter((pattern) => topics.some((topic) => pattern.matches(topic))).map(matcherOf),
  ];
  if (!entry.private && !isPresence) return matching;
  const reading = matching.filter(
    (matcher) => granted.covers(matcher) || (!entry.private && matcher === topics[0]),
  );
  // A grant may be for other topics of the event than those that matched.
  return reading.length === 0 ? matching : reading;
}
