import type { Hub } from 'tidings';
import { type RunResult, type Runs, createRuns } from 'tidings/ai';
import { type AnswerStatus, CHAT, topicOf } from '../shared/api.ts';
import { type Chat, type Chats, summaryOf } from './chats.ts';

/** The chats that changed so lately that a crash may have come before their event are announced at the start. */
const LATELY = 600_000;

export interface Announcer {
  (chat: Chat): void;
}

/** Tells everybody who has opened the chat how it is now. */
export function createAnnouncer(hub: Hub): Announcer {
  return (chat) => {
    const events = chat.people.map((person) => ({
      topics: topicOf(person),
      data: summaryOf(chat),
      type: CHAT,
      key: chat.id,
      private: true,
    }));
    // The chat is saved; a page that misses this sees it with the next change.
    hub.publishAll(events).catch((error: unknown) => console.error('chat:', error));
  };
}

export function createAnswers(hub: Hub, chats: Chats, announce: Announcer): Runs {
  return createRuns(hub, {
    perSubject: 5,
    onError: (error) => console.error('chat:', error instanceof Error ? error.message : error),
    // Chat ids can't be guessed: whoever has the link may see the chat.
    authorize: (_request, chat) => chats.get(chat) !== undefined,
    async onEnd(result) {
      const { chat, id, messageId, text, endedAt = Date.now() } = result;
      const status = statusOf(result);
      const answer = {
        id: messageId,
        role: 'assistant',
        parts: [{ type: 'text', text }],
        metadata: { run: id, status, at: endedAt },
      } as const;
      const changed = await chats.finish(chat, id, status, answer, endedAt);
      if (changed !== undefined) announce(changed);
    },
  });
}

/** Cleans up after a crash: an answer that no log knows any more, and changes that may not have been announced. */
export async function recover(runs: Runs, chats: Chats, announce: Announcer): Promise<void> {
  const now = Date.now();
  for (const chat of chats.all()) {
    const run = chat.status === 'running' ? await runs.find(chat.id, chat.run) : undefined;
    if (chat.status === 'running' && run === undefined) {
      const nothing = { id: '', role: 'assistant', parts: [] } as const;
      const changed = await chats.finish(chat.id, chat.run ?? '', 'lost', nothing, now);
      if (changed !== undefined) announce(changed);
    } else if (now - chat.updatedAt < LATELY) announce(chat);
  }
}

/** The AI SDK puts a model's failure into the stream, and ends it in order. */
function statusOf({ status, chunks }: RunResult): AnswerStatus {
  const failed = chunks.some((chunk) => (chunk as { type?: unknown } | null)?.type === 'error');
  return status === 'done' && failed ? 'failed' : status;
}
