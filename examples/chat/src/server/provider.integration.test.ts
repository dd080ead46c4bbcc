import { expect, onTestFinished, test } from 'vitest';
import { answerTo } from '../model/answer.ts';
import { startAnswers } from './provider.ts';

test('without a provider, the app answers with a model that it brings along', async () => {
  const answers = await startAnswers(undefined);
  onTestFinished(() => answers.close());
  expect(answers.models).toContain('tide-fast');
  const messages = [
    { id: 'q', role: 'user', parts: [{ type: 'text', text: 'Tide?' }], metadata: { at: 0 } },
  ] as const;
  let text = '';
  for await (const chunk of answers.stream(
    { model: 'tide-fast', messages, run: 'r' },
    new AbortController().signal,
  )) {
    const { type, delta = '' } = chunk as { type: string; delta?: string };
    if (type === 'text-delta') text += delta;
  }
  expect(text).toBe(answerTo([{ role: 'user', content: 'Tide?' }]));
});
