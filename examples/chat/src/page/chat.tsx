import { type ReactElement, useEffect, useState } from 'react';
import type { ChatPage, ChatSummary } from '../shared/api.ts';
import { Composer } from './composer.tsx';
import { Thread } from './thread.tsx';
import { loadChat, useAnswers } from './use-answers.ts';
import { Welcome } from './welcome.tsx';

interface Props {
  readonly id: string;
  /** Nobody has asked anything in it yet. */
  readonly isNew: boolean;
  readonly summary: ChatSummary | undefined;
  readonly models: readonly string[];
  readonly model: string;
  setModel(model: string): void;
  /** The first question is asked. */
  onFirst(): void;
}

export function Chat(props: Props): ReactElement {
  const { id, isNew } = props;
  const [page, setPage] = useState<ChatPage | undefined>(
    isNew ? { id, title: '', messages: [], revision: 0, status: 'done' } : undefined,
  );
  const [failure, setFailure] = useState<Error>();
  useEffect(() => {
    if (page !== undefined || failure !== undefined) return;
    loadChat(id).then(setPage, setFailure);
  }, [id, page, failure]);
  if (failure !== undefined) {
    return (
      <div className="thread-frame">
        <p className="notice" role="alert">
          The chat could not be loaded. {failure.message}
          <button className="button button-small" onClick={() => setFailure(undefined)}>
            Try again
          </button>
        </p>
      </div>
    );
  }
  if (page === undefined) return <div className="thread-frame" aria-busy="true" />;
  return <LoadedChat {...props} page={page} />;
}

function LoadedChat({
  page,
  summary,
  models,
  model,
  setModel,
  onFirst,
}: Props & { page: ChatPage }): ReactElement {
  const answers = useAnswers(page, summary, model);
  const { messages, phase, ask, stop } = answers;
  const isRunning = phase !== 'idle';
  const send = (text: string): void => {
    ask(text);
    if (messages.length === 0) onFirst();
  };
  useEffect(() => {
    if (!isRunning) return;
    const onKey = (event: KeyboardEvent): void => {
      if (
        event.key === 'Escape' &&
        !event.defaultPrevented &&
        document.querySelector('dialog[open]') === null
      )
        stop();
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  });
  return (
    <>
      {messages.length === 0 ? <Welcome ask={send} /> : <Thread {...answers} />}
      <Composer
        isRunning={isRunning}
        send={send}
        stop={stop}
        models={models}
        model={model}
        setModel={setModel}
      />
    </>
  );
}
