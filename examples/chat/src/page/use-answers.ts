import { useChat } from '@ai-sdk/react';
import type { UIMessage } from 'ai';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { createChatTransport } from 'tidings/chat';
import type { AnswerStatus, ChatPage, ChatSummary, MessageFacts, StoredMessage } from '../shared/api.ts';

export type Message = UIMessage<MessageFacts>;

export interface Answers {
  readonly messages: readonly Message[];
  /** An answer is awaited, is being written, or neither. */
  readonly phase: 'idle' | 'waiting' | 'writing';
  /** How the newest answer ended, as far as known. */
  readonly ending: AnswerStatus | undefined;
  /** The question didn't get to the server. */
  readonly error: Error | undefined;
  ask(text: string): void;
  again(): void;
  stop(): void;
}

/** How often the page is drawn anew while an answer comes, in milliseconds. */
const THROTTLE = 50;

export async function loadChat(id: string): Promise<ChatPage> {
  const response = await fetch(`/api/chats/${id}`);
  if (!response.ok) throw new Error(`The server answered ${response.status}.`);
  return (await response.json()) as ChatPage;
}

/**
 * A chat with all that happens to it in other tabs and on other devices: an answer that begins there is followed here, and
 * when one has ended, the page shows what the server has stored.
 */
export function useAnswers(page: ChatPage, summary: ChatSummary | undefined, model: string): Answers {
  const { id } = page;
  const chosen = useRef(model);
  useEffect(() => void (chosen.current = model), [model]);
  const transport = useMemo(
    () => createChatTransport<Message>({ api: '/api/chat', body: () => ({ model: chosen.current }) }),
    [],
  );
  const chat = useChat<Message>({
    id,
    messages: page.messages.map(toMessage),
    resume: page.status === 'running',
    transport,
    experimental_throttle: THROTTLE,
  });
  const { messages, status, error, setMessages, resumeStream, clearError, sendMessage, regenerate, stop } =
    chat;
  const [ending, setEnding] = useState<AnswerStatus | undefined>(page.status);
  const revision = useRef(page.revision);
  const isBusy = status === 'submitted' || status === 'streaming';
  const busy = useRef(isBusy);
  useEffect(() => void (busy.current = isBusy), [isBusy]);

  // Another chat is shown: this one's answer goes on without the page.
  useEffect(() => () => transport.leave(id), [transport, id]);

  const sync = useCallback(async () => {
    const stored = await loadChat(id);
    if (busy.current || stored.revision <= revision.current) return;
    revision.current = stored.revision;
    clearError();
    setMessages(stored.messages.map(toMessage));
    setEnding(stored.status);
    if (stored.status === 'running') await resumeStream();
  }, [id, clearError, setMessages, resumeStream]);

  const newest = messages.at(-1)?.metadata?.run;
  useEffect(() => {
    if (summary === undefined || isBusy || summary.revision <= revision.current) return;
    // Its answer has just ended here, and the server is about to say so.
    if (summary.status === 'running' && newest !== undefined && newest === summary.run) return;
    sync().catch(() => {
      // The next change, or a reload, brings it.
    });
  }, [summary, isBusy, newest, sync]);

  return {
    messages,
    phase: status === 'submitted' ? 'waiting' : status === 'streaming' ? 'writing' : 'idle',
    ending: isBusy ? undefined : ending,
    error: isBusy ? undefined : error,
    ask(text) {
      setEnding(undefined);
      void sendMessage({ text });
    },
    again() {
      setEnding(undefined);
      clearError();
      void regenerate();
    },
    stop: () => void stop(),
  };
}

function toMessage({ id, role, parts, metadata }: StoredMessage): Message {
  return { id, role, parts: [...parts], ...(metadata !== undefined && { metadata }) };
}
