// The page with TanStack AI's client as its documentation says, and a button.
import { ChatClient, fetchServerSentEvents, localStoragePersistence } from '@tanstack/ai-client';

const chat = location.pathname.split('/').at(-1);
const question = new URLSearchParams(location.search).get('question') ?? 'What?';
const root = document.getElementById('root');
root.innerHTML = '<p id="status"></p><ol></ol><button id="send">Send</button>';

/** Every text that an answer ever showed. */
window.seen = [];

function show(messages) {
  const items = messages.map(({ role, parts }) => {
    const item = document.createElement('li');
    item.className = role;
    item.textContent = parts.map((part) => (part.type === 'text' ? part.content : '')).join('');
    return item;
  });
  window.seen.push(items.findLast((item) => item.className === 'assistant')?.textContent ?? '');
  root.querySelector('ol').replaceChildren(...items);
}

const client = new ChatClient({
  threadId: chat,
  persistence: localStoragePersistence(),
  connection: fetchServerSentEvents(`/api/tanstack/${chat}${location.search}`),
  onMessagesChange: show,
  onStatusChange: (status) => (document.getElementById('status').textContent = status),
});
show(client.getMessages());
// As a framework's hook does when it is mounted: a run that was going on is joined again.
client.attach();
document.getElementById('send').addEventListener('click', () => void client.sendMessage(question));
