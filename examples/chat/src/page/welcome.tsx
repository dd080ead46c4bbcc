import type { ReactElement } from 'react';

const QUESTIONS = [
  'Why does the harbour wait for the tide?',
  'Tell me a long story about the lighthouse',
  'How do I mend an old net?',
  'What is written in the harbour master’s book?',
];

export function Welcome({ ask }: { ask(question: string): void }): ReactElement {
  return (
    <div className="thread-frame">
      <section className="welcome">
        <h2>Ask the sea something</h2>
        <p>
          While it answers, reload the page, open the chat in a second tab or on your phone, or cut the
          network: the answer goes on, and no word comes twice. Kill the server, and what it wrote is still
          here.
        </p>
        <ul className="suggestions">
          {QUESTIONS.map((question) => (
            <li key={question}>
              <button className="suggestion" onClick={() => ask(question)}>
                {question}
              </button>
            </li>
          ))}
        </ul>
      </section>
    </div>
  );
}
