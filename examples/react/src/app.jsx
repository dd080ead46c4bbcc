import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { TidingsProvider, useConnection, useLatest, useList, usePresence } from 'tidings/react';

const load = async ({ signal }) => (await fetch('/notes', { signal, cache: 'no-store' })).json();

async function add(form) {
  const headers = { 'content-type': 'application/json' };
  await fetch('/notes', { method: 'POST', headers, body: JSON.stringify({ text: form.get('text') }) });
}

function Kitchen() {
  const { items } = useList('note', { topics: 'notes', key: 'id', limit: 20, load });
  const people = usePresence('room/kitchen')?.count ?? 0;
  const memory = useLatest('memory', { topics: 'server' });
  const { status } = useConnection();
  return (
    <>
      <h1>The kitchen board</h1>
      <p>
        <b>{people}</b> here · {memory ?? '…'} MB · <i>{status}</i>
      </p>
      <form action={add}>
        <input name="text" required placeholder="Milk is out" aria-label="Note" /> <button>Add</button>
      </form>
      <ul
        children={items.map(({ id, text }) => (
          <li key={id} children={text} />
        ))}
      />
    </>
  );
}

createRoot(document.querySelector('#root')).render(
  <StrictMode>
    <TidingsProvider url="/events" children={<Kitchen />} />
  </StrictMode>,
);
