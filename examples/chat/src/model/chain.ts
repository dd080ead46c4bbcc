import { type Random, pick } from './random.ts';

const END = /[.!?]$/;
/** A sentence that goes on for longer is broken off at its next comma, or here. */
const LONGEST = 36;

/** A Markov chain of words: two words say which ones may follow. */
export interface Chain {
  sentence(random: Random): string;
}

export function learn(text: string): Chain {
  const followers = new Map<string, string[]>();
  const beginnings: [string, string][] = [];
  const words = text.trim().split(/\s+/);
  for (const [i, word] of words.entries()) {
    const [next, after] = [words[i + 1], words[i + 2]];
    if (next === undefined) continue;
    const isBeginning = i === 0 || END.test(words[i - 1] ?? '');
    if (isBeginning && !END.test(word)) beginnings.push([word, next]);
    if (after === undefined || END.test(next)) continue;
    const key = `${word} ${next}`;
    followers.set(key, [...(followers.get(key) ?? []), after]);
  }
  return {
    sentence(random) {
      const [first, second] = pick(random, beginnings);
      const sentence = [first, second];
      while (!END.test(sentence.at(-1) ?? '') && sentence.length < LONGEST) {
        const next = followers.get(sentence.slice(-2).join(' '));
        if (next === undefined) break;
        sentence.push(pick(random, next));
      }
      return sentence.join(' ').replace(/[,:;]?$/, (end) => (END.test(sentence.at(-1) ?? '') ? end : '.'));
    },
  };
}
