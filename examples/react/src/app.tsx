import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { type LoadedItems, TidingsProvider, useLatest, useList, usePresence } from 'tidings/react';

type Note = { readonly id: number; readonly text: string };

const load = async () => (await (await fetch('/notes', { cache: 'no-store' })).json()) as LoadedItems<Note>;

async function add(form: FormData) {
  const headers = { 'content-type': 'application/json' };
  await fetch('/notes', { method: 'POST', headers, body: JSON.stringify({ text: form.get('text') }) });
}

function Kitchen() {
  const { items } = useList<Note>('note', { topics: 'notes', key: 'id', limit: 20, load });
  const people = usePresence('room/kitchen')?.count ?? 0;
  const memory = useLatest('memory', { topics: 'server', initial: 0 });
  return (
    <>
      <h1>The kitchen board</h1>
      <p>
        <b>{people}</b> here · {memory} MB
      </p>
      <form action={add}>
        <input name="text" required aria-label="Note" /> <button>Add</button>
      </form>
      <ul
        children={items.map(({ id, text }) => (
          <li key={id} children={text} />
        ))}
      />
    </>
  );
}

const page = <TidingsProvider url="/events" children={<Kitchen />} />;
createRoot(document.querySelector('#root') as Element).render(<StrictMode>{page}</StrictMode>);
