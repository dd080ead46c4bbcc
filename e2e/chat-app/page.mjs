// The page: `useChat` as its documentation says, and buttons. Bundled once for each version of the SDK.
import { createElement as h, useEffect, useMemo, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { DefaultChatTransport } from 'ai';
import { useChat } from '@ai-sdk/react';
import { createChatTransport } from 'tidings/chat';

const version = Number(VERSION);
const query = new URLSearchParams(location.search);
const chat = location.pathname.split('/').at(-1);
const body = {
  version,
  length: Number(query.get('length') ?? 60),
  pause: Number(query.get('pause') ?? 20),
  held: query.has('held'),
};
const isOurs = query.get('transport') === 'ours';

/** Every text that an answer ever showed. */
window.seen = [];

function Chat({ initial }) {
  const transport = useMemo(
    () => (isOurs ? createChatTransport({ body }) : new DefaultChatTransport({ body })),
    [],
  );
  const { messages, sendMessage, stop, status, error } = useChat({
    id: chat,
    messages: initial,
    resume: true,
    transport,
    onError: () => {},
  });
  const answers = messages.filter(({ role }) => role === 'assistant').map(textOf);
  useEffect(() => void window.seen.push(answers.at(-1) ?? ''));
  const onStop = () => {
    if (isOurs) void stop();
    else void fetch(`/api/chat/${chat}/stop`, { method: 'POST' });
  };
  return h(
    'main',
    null,
    h('p', { id: 'status' }, status),
    h('p', { id: 'error' }, error?.message ?? ''),
    h(
      'ol',
      null,
      messages.map((message) =>
        h('li', { key: message.id, className: message.role, id: message.id }, textOf(message)),
      ),
    ),
    h(
      'button',
      { id: 'send', onClick: () => sendMessage({ text: query.get('question') ?? 'What?' }) },
      'Send',
    ),
    h('button', { id: 'stop', onClick: onStop }, 'Stop'),
  );
}

function textOf({ parts }) {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

function Page() {
  const [initial, setInitial] = useState();
  useEffect(() => void load().then(setInitial), []);
  return initial === undefined ? null : h(Chat, { initial });
}

async function load() {
  const response = await fetch(`/api/chat/${chat}/messages`);
  return response.json();
}

createRoot(document.getElementById('root')).render(h(Page));
