import {
  type Answer,
  type NewEvent,
  type TopicRules,
  conflictError,
  entryOf,
  sizeOf,
} from '../../log/index.ts';
import { type Pack, addTo, createPack, isPlain, isRoomFor, packArguments } from './packs.ts';
import { toArguments } from './records.ts';

/** The arguments of one call of the script. */
export interface Batch {
  /** Six for each item: an event by itself, or a pack. */
  readonly args: readonly string[];
  /** How many events each item has. */
  readonly counts: readonly number[];
  /** How many items each call has, of those that may be refused: those without conditions are joined. */
  readonly calls: readonly number[];
}

/** @param lengths how many of the events each call of `append` has. */
export function toBatch(events: readonly NewEvent[], lengths: readonly number[], rules: TopicRules): Batch {
  const args: string[] = [];
  const counts: number[] = [];
  const calls: number[] = [];
  let pack: Pack | undefined;
  let called = 0;

  function endPack(): void {
    if (pack === undefined) return;
    const [first] = pack.events as [NewEvent];
    args.push(...(pack.events.length === 1 ? toArguments(first, rules) : packArguments(pack)));
    counts.push(pack.events.length);
    pack = undefined;
  }

  function endCall(): void {
    endPack();
    if (counts.length > called) calls.push(counts.length - called);
    called = counts.length;
  }

  function add(event: NewEvent): void {
    const entry = entryOf(event, 0, 0);
    if (pack !== undefined && !isRoomFor(pack, event)) endPack();
    if (isPlain(rules, event, entry)) addTo((pack ??= createPack(event)), event, sizeOf(entry));
    else {
      endPack();
      args.push(...toArguments(event, rules));
      counts.push(1);
    }
  }

  let start = 0;
  for (const length of lengths) {
    const call = events.slice(start, start + length);
    const isConditional = call.some(({ ifSeq }) => ifSeq !== undefined);
    if (isConditional) endCall();
    for (const event of call) add(event);
    if (isConditional) endCall();
    start += length;
  }
  endCall();
  return { args, counts, calls };
}

/** The script's answers, one for each item, as answers to the events. */
export function toAnswers(
  texts: readonly string[],
  { counts, calls }: Batch,
  events: readonly NewEvent[],
): Answer[] {
  const answers: Answer[] = [];
  let item = 0;
  for (const length of calls) {
    const items = counts.slice(item, item + length);
    const call = events.slice(answers.length);
    for (const [i, count] of items.entries()) {
      const text = texts[item + i] ?? '';
      // The call's item whose condition failed, and the seq of that key's value.
      const [culprit = 0, seq = 0] = numbersOf(text);
      if (text.startsWith('x')) {
        const before = items.slice(0, culprit).reduce((total, each) => total + each, 0);
        for (let n = 0; n < count; n += 1) answers.push(conflictError(call[before] as NewEvent, seq));
      } else answers.push(...answersOf(text, count));
    }
    item += length;
  }
  return answers;
}

/** Of a pack: the first event's seq, or an answer for each. */
function answersOf(text: string, count: number): Answer[] {
  if (count === 1) return [toAnswer(text)];
  if (text.includes(';')) return text.split(';').map(toAnswer);
  const first = Number(text);
  return Array.from({ length: count }, (_, i) => ({ seq: first + i, duplicate: false }));
}

function toAnswer(text: string): Answer {
  const [first = 0, second = 0] = numbersOf(text);
  if (text.startsWith('-')) return { seq: first, duplicate: true };
  if (text.startsWith('w')) return { seq: second, duplicate: false, wait: first };
  return { seq: first, duplicate: false };
}

function numbersOf(text: string): number[] {
  return text
    .replace(/^[-wx]/, '')
    .split(',')
    .map(Number);
}
