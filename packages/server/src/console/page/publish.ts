import { ask } from './api.ts';
import { need, setText } from './dom.ts';
import { dataIn, topicsIn } from './topics-text.ts';
import type { View } from './view.ts';

interface Answer {
  readonly events: readonly { readonly cursor: string; readonly duplicate: boolean }[];
}

export function publish(): View {
  const form = need('#publish-form', HTMLFormElement);
  const result = need('#publish-result', HTMLElement);
  const failure = need('#publish-error', HTMLElement);
  const button = need('button[type="submit"]', HTMLButtonElement, form);

  async function send(): Promise<void> {
    const fields = new FormData(form);
    const text = (name: string): string => {
      const value = fields.get(name);
      return typeof value === 'string' ? value.trim() : '';
    };
    const event = {
      topics: topicsIn(text('topics')),
      data: dataIn(text('data')),
      ...(text('type') !== '' && { type: text('type') }),
      ...(text('key') !== '' && { key: text('key') }),
      ...(fields.has('private') && { private: true }),
    };
    button.disabled = true;
    try {
      const { events } = await ask<Answer>('publish', event);
      setText(failure, '');
      setText(result, `Published. The cursor after it is ${events[0]?.cursor}.`);
    } catch (error) {
      setText(result, '');
      setText(failure, error instanceof Error ? error.message : 'It failed.');
    } finally {
      button.disabled = false;
    }
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void send();
  });
  return {};
}
