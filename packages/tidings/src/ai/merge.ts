/**
 * Models stream tokens, often a hundred a second. Adjacent deltas of the same text become one chunk, which says the
 * same in fewer events.
 */

type Fields = Readonly<Record<string, unknown>>;

/** The field with the text, by chunk type: AI SDK, OpenAI Responses, AG-UI. */
const TEXT_FIELD: Readonly<Record<string, string>> = {
  'text-delta': 'delta',
  'reasoning-delta': 'delta',
  'tool-input-delta': 'inputTextDelta',
  'response.output_text.delta': 'delta',
  'response.reasoning_text.delta': 'delta',
  'response.reasoning_summary_text.delta': 'delta',
  'response.refusal.delta': 'delta',
  'response.function_call_arguments.delta': 'delta',
  TEXT_MESSAGE_CONTENT: 'delta',
  TOOL_CALL_ARGS: 'delta',
};
/** The types whose text is the answer's. */
const ANSWER_TYPES = new Set(['text-delta', 'response.output_text.delta', 'TEXT_MESSAGE_CONTENT']);
/** Fields that number or pad a chunk: the merged one keeps the first's. */
const INCIDENTAL = new Set(['sequence_number', 'obfuscation', 'timestamp']);

/** Two adjacent chunks as one that says the same, or undefined. */
export function mergeDeltas(a: unknown, b: unknown): unknown {
  if (typeof a === 'string' && typeof b === 'string') return a + b;
  if (!isFields(a) || !isFields(b)) return undefined;
  if (a['object'] === 'chat.completion.chunk') return mergeCompletions(a, b);
  const field = TEXT_FIELD[String(a['type'])];
  if (field === undefined || !isAlike(a, b, field)) return undefined;
  return { ...a, [field]: `${a[field] as string}${b[field] as string}` };
}

/** Whether a chunk is a piece of text that others like it may be merged with. */
export function isDelta(chunk: unknown): boolean {
  if (typeof chunk === 'string') return true;
  if (!isFields(chunk)) return false;
  if (chunk['object'] === 'chat.completion.chunk') return mergeCompletions(chunk, chunk) !== undefined;
  const field = TEXT_FIELD[String(chunk['type'])];
  return field !== undefined && typeof chunk[field] === 'string' && !hasList(chunk);
}

/** The text that a chunk adds to the answer. */
export function textOf(chunk: unknown): string {
  if (typeof chunk === 'string') return chunk;
  if (!isFields(chunk)) return '';
  if (ANSWER_TYPES.has(String(chunk['type']))) return stringOf(chunk['delta']);
  return chunk['object'] === 'chat.completion.chunk' ? (contentOf(chunk) ?? '') : '';
}

function isAlike(a: Fields, b: Fields, field: string): boolean {
  if (typeof a[field] !== 'string' || typeof b[field] !== 'string') return false;
  if (hasList(b)) return false;
  // Loops without arrays and sets: this runs for each token of a fast model (`runs`).
  for (const name in a)
    if (name !== field && !INCIDENTAL.has(name) && !isSame(a[name], b[name])) return false;
  for (const name in b) if (!(name in a) && b[name] !== undefined && !INCIDENTAL.has(name)) return false;
  return true;
}

/** A list with something in it, such as logprobs, belongs to one delta alone. */
function hasList(chunk: Fields): boolean {
  for (const name in chunk) {
    const value = chunk[name];
    if (Array.isArray(value) && value.length > 0) return true;
  }
  return false;
}

function mergeCompletions(a: Fields, b: Fields): unknown {
  const [first, second] = [contentOf(a), contentOf(b)];
  if (first === undefined || second === undefined) return undefined;
  const [choice, other] = [choiceOf(a), choiceOf(b)];
  const alone = Object.keys(other['delta'] ?? {}).length === 1;
  const plain = (other['finish_reason'] ?? null) === null && (choice['finish_reason'] ?? null) === null;
  if (!alone || !plain || (choice['logprobs'] ?? other['logprobs'] ?? null) !== null) return undefined;
  if (a['id'] !== b['id'] || choice['index'] !== other['index'] || !isSame(a['usage'], b['usage']))
    return undefined;
  const delta = { ...(choice['delta'] as Fields), content: first + second };
  return { ...a, choices: [{ ...choice, delta }] };
}

/** The text of an OpenAI chat completion's chunk, if it has a single choice. */
function contentOf(chunk: Fields): string | undefined {
  const { choices } = chunk;
  if (!Array.isArray(choices) || choices.length !== 1) return undefined;
  const delta = choiceOf(chunk)['delta'];
  const content = isFields(delta) ? delta['content'] : undefined;
  return typeof content === 'string' ? content : undefined;
}

function choiceOf(chunk: Fields): Fields {
  const [choice] = chunk['choices'] as readonly unknown[];
  return isFields(choice) ? choice : {};
}

function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSame(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === 'object' && JSON.stringify(a) === JSON.stringify(b));
}
