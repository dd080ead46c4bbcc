// A model that says the same whenever it is asked the same: words chosen by a generator that the question seeds.
const words = 'tide moon sand wave gull harbour rope – “lantern” über naïve 🌊 42 <b>&amp; net keel'.split(
  ' ',
);

/**
 * @param {string} question
 * @param {number} length words
 */
export function answerTo(question, length) {
  let seed = [...question].reduce(
    (hash, character) => (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0,
    7,
  );
  let text = '';
  for (let i = 0; i < length; i += 1) {
    seed = (seed * 1_664_525 + 1_013_904_223) >>> 0;
    text += `${i === 0 ? '' : seed % 11 === 0 ? '\n' : ' '}${words[seed % words.length]}`;
  }
  return text;
}

/**
 * The answer as a language model of the AI SDK, word by word.
 *
 * @param {5 | 6} version of the SDK
 * @param {{ question: string, length: number, pause: number, onAbort: () => void, released?: Promise<void> }} options
 *   `released`: the last word waits for it.
 */
export function model(version, { question, length, pause, onAbort, released }) {
  const isV5 = version === 5;
  const usage = isV5
    ? { inputTokens: 1, outputTokens: length, totalTokens: length + 1 }
    : { inputTokens: { total: 1 }, outputTokens: { total: length } };
  return {
    specificationVersion: isV5 ? 'v2' : 'v3',
    provider: 'local',
    modelId: 'local',
    supportedUrls: {},
    async doStream(/** @type {{ abortSignal?: AbortSignal }} */ { abortSignal }) {
      abortSignal?.addEventListener('abort', onAbort);
      const aborted = new Promise((resolve) => abortSignal?.addEventListener('abort', resolve));
      async function* parts() {
        yield { type: 'stream-start', warnings: [] };
        yield { type: 'text-start', id: '1' };
        const pieces = answerTo(question, length).split(/(?<=[ \n])/);
        for (const [i, delta] of pieces.entries()) {
          if (i === pieces.length - 1 && released !== undefined) await Promise.race([released, aborted]);
          if (abortSignal?.aborted) throw new DOMException('Aborted', 'AbortError');
          yield { type: 'text-delta', id: '1', delta };
          await new Promise((resolve) => setTimeout(resolve, pause));
        }
        yield { type: 'text-end', id: '1' };
        yield { type: 'finish', finishReason: isV5 ? 'stop' : { unified: 'stop', raw: 'stop' }, usage };
      }
      const iterator = parts();
      const stream = new ReadableStream({
        async pull(controller) {
          const { done, value } = await iterator.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
      });
      return { stream };
    },
  };
}
