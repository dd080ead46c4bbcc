import { CORPUS, THINGS } from './corpus.ts';
import { learn } from './chain.ts';
import { type Random, between, createRandom, pick, seedOf } from './random.ts';

export interface Message {
  readonly role: string;
  readonly content: string;
}

const chain = learn(CORPUS);
const MOST_PARAGRAPHS = 60;
/** Words that say nothing about what a question is about. */
const COMMON = new Set(
  'a about all an and any are as at be by can could do does for from give have how i in is it long me my not of on or paragraph paragraphs please so story tell that the this to was what when where which who why will with write you your'.split(
    ' ',
  ),
);

/**
 * The model's answer to a conversation, as Markdown: the same words for the same conversation. It makes them up from what
 * it has read, so it is never right and never at a loss.
 */
export function answerTo(messages: readonly Message[]): string {
  const question = messages.findLast(({ role }) => role === 'user')?.content ?? '';
  const random = createRandom(seedOf(messages.map(({ role, content }) => `${role}: ${content}`).join('\n')));
  const subject = subjectOf(question) ?? pick(random, THINGS);
  const parts = [opening(random, subject)];
  const paragraphs = paragraphsOf(question) ?? between(random, 2, 3);
  for (let i = 0; i < paragraphs; i += 1) {
    parts.push(paragraph(random));
    if (i === 0) parts.push(pick(random, [list, steps, table, quote, code])(random, subject));
  }
  parts.push(closing(random, subject));
  return parts.join('\n\n');
}

/** The answer in pieces of a few characters, as models write. */
export function tokensOf(text: string): readonly string[] {
  return text.match(/\s*[\p{L}\p{N}'’]{1,6}|\s*[^\s\p{L}\p{N}]{1,3}|\s+/gu) ?? [];
}

/** The question's subject: its longest word that isn't a common one. */
function subjectOf(question: string): string | undefined {
  const words = question.toLowerCase().match(/\p{L}{3,}/gu) ?? [];
  return words
    .filter((word) => !COMMON.has(word))
    .toSorted((a, b) => b.length - a.length)[0]
    ?.slice(0, 40);
}

/** “In 12 paragraphs”, “a long story”: how much was asked for. */
function paragraphsOf(question: string): number | undefined {
  const asked = /(\d{1,3}) paragraphs?/.exec(question)?.[1];
  if (asked !== undefined) return Math.min(MOST_PARAGRAPHS, Math.max(1, Number(asked)));
  return /\b(long|longer|detail|story)\b/i.test(question) ? 12 : undefined;
}

function opening(random: Random, subject: string): string {
  return pick(random, [
    `Let me think about **${subject}** for a moment.`,
    `There are two things to say about **${subject}**, and the sea has said both of them before.`,
    `What you ask about **${subject}** was asked in every harbour, and this is how they answer it.`,
    `## ${subject.charAt(0).toUpperCase()}${subject.slice(1)}, as seen from the quay`,
  ]);
}

function paragraph(random: Random): string {
  const sentences = Array.from({ length: between(random, 2, 4) }, () => chain.sentence(random));
  const marked = between(random, 0, sentences.length - 1);
  return sentences
    .map((sentence, i) => (i === marked ? sentence.replace(/^(\S+ \S+ \S+)/, '*$1*') : sentence))
    .join(' ');
}

function list(random: Random): string {
  return things(random, between(random, 3, 5))
    .map((thing) => `- **${thing}**: ${lower(chain.sentence(random))}`)
    .join('\n');
}

function steps(random: Random, subject: string): string {
  const lines = things(random, 4).map(
    (thing, i) => `${i + 1}. Look at the ${thing}, and wait for the next one.`,
  );
  return [`### With ${subject}, in this order`, lines.join('\n')].join('\n\n');
}

function table(random: Random): string {
  const rows = things(random, 4).map(
    (thing) =>
      `| ${thing} | ${between(random, 1, 9)}.${between(random, 0, 9)} m | ${pick(random, ['rising', 'falling', 'still'])} |`,
  );
  return ['| at the | depth | water |', '| --- | --- | --- |', ...rows].join('\n');
}

function quote(random: Random): string {
  return `> ${chain.sentence(random)}\n>\n> — the harbour master’s book`;
}

function code(random: Random, subject: string): string {
  const [first, second] = things(random, 2);
  const name = subject.replaceAll(/[^a-z]/g, '') || 'tide';
  return [
    '```js',
    `const ${name} = await ${first}.read({ from: '${second}' });`,
    `for (const wave of ${name}) {`,
    `  if (wave.height > ${between(random, 2, 9)}) harbour.close(wave.hour);`,
    '}',
    '```',
  ].join('\n');
}

function closing(random: Random, subject: string): string {
  return pick(random, [
    `That is all that is known about ${subject} here. Ask again at high tide.`,
    `So much for ${subject}; the rest is weather.`,
    `If you want to know more about ${subject}, ask the *pilot*: she is never wrong, only early.`,
  ]);
}

function things(random: Random, count: number): string[] {
  const left = [...THINGS];
  return Array.from({ length: count }, () => left.splice(Math.floor(random() * left.length), 1)[0] as string);
}

function lower(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}
