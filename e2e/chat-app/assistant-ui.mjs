// The page with assistant-ui as its guide to resumable streams says: its runtime for the AI SDK, and its parts.
import { createElement as h, useEffect, useMemo } from 'react';
import { createRoot } from 'react-dom/client';
import { AssistantRuntimeProvider, MessagePrimitive, ThreadPrimitive } from '@assistant-ui/react';
import { AssistantChatTransport, createResumableSessionStorage, useChatRuntime } from '@assistant-ui/ai-sdk';

const chat = location.pathname.split('/').at(-1);
const question = new URLSearchParams(location.search).get('question') ?? 'What?';
const api = `/api/assistant-ui/${chat}`;
const storage = createResumableSessionStorage();

/** Every text that an answer ever showed. */
window.seen = [];

function Text({ text }) {
  useEffect(() => void window.seen.push(text));
  return text;
}
const AnswerParts = { Text };
const QuestionParts = { Text: ({ text }) => text };

function Message({ role }) {
  const components = role === 'assistant' ? AnswerParts : QuestionParts;
  return h('li', { className: role }, h(MessagePrimitive.Parts, { components }));
}

function Page() {
  const transport = useMemo(() => {
    const resumable = { storage, resumeApi: (streamId) => `${api}/resume/${streamId}` };
    return new AssistantChatTransport({ api: `${api}${location.search}`, resumable });
  }, []);
  const runtime = useChatRuntime({ transport });
  return h(
    AssistantRuntimeProvider,
    { runtime },
    h(
      'ol',
      null,
      h(ThreadPrimitive.Messages, null, ({ message: { role } }) => h(Message, { role })),
    ),
    h('button', { id: 'send', onClick: () => runtime.thread.append(question) }, 'Send'),
  );
}

createRoot(document.getElementById('root')).render(h(Page));
