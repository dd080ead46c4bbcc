import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { type LanguageModel, streamText } from 'ai';
import { createModel } from '../model/completions.ts';
import { MODELS } from '../model/models.ts';
import type { MessageFacts, StoredMessage } from '../shared/api.ts';
import type { Provider } from './settings.ts';

export interface Question {
  readonly model: string;
  readonly messages: readonly StoredMessage[];
  /** The answer's name, which pages get with it. */
  readonly run: string;
}

export interface Answers {
  readonly models: readonly string[];
  /** The answer to a conversation, as the chunks of the AI SDK's UI message stream. */
  stream(question: Question, signal: AbortSignal): ReadableStream<unknown>;
  close(): void;
}

/** A provider's models, or the one that the app brings along, on a port of its own that only this machine reaches. */
export async function startAnswers(provider: Provider | undefined): Promise<Answers> {
  const own = provider === undefined ? createModel() : undefined;
  const server = own?.app.listen(0, '127.0.0.1');
  const { baseURL, apiKey, models } = provider ?? (await addressOf(server as Server));
  const openai = createOpenAICompatible({ name: 'chat', baseURL, ...(apiKey !== undefined && { apiKey }) });
  return {
    models,
    stream: ({ model, messages, run }, signal) =>
      streamText({
        model: openai(model) as LanguageModel,
        messages: messages.map(({ role, parts }) => ({
          role,
          content: parts.map(({ text }) => text).join(''),
        })),
        abortSignal: signal,
        maxRetries: 1,
        // The stream has it too; the default would print it.
        onError: () => {},
      }).toUIMessageStream({
        onError: () => 'The model failed in the middle of its answer.',
        messageMetadata: ({ part }): MessageFacts | undefined =>
          part.type === 'start' ? { run } : undefined,
      }),
    close() {
      server?.close();
      server?.closeAllConnections();
    },
  };
}

async function addressOf(server: Server): Promise<Provider> {
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { baseURL: `http://127.0.0.1:${port}/v1`, apiKey: undefined, models: MODELS.map(({ id }) => id) };
}
