import { type KeyboardEvent, type ReactElement, type SubmitEvent, useRef, useState } from 'react';
import { Icon } from './icons.tsx';

interface Props {
  readonly isRunning: boolean;
  readonly models: readonly string[];
  readonly model: string;
  setModel(model: string): void;
  send(text: string): void;
  stop(): void;
}

const MOST = 10_000;

export function Composer({ isRunning, models, model, setModel, send, stop }: Props): ReactElement {
  const [text, setText] = useState('');
  const field = useRef<HTMLTextAreaElement>(null);
  const canSend = text.trim() !== '' && !isRunning;

  const submit = (event?: SubmitEvent): void => {
    event?.preventDefault();
    field.current?.focus();
    if (isRunning) return stop();
    if (!canSend) return;
    send(text.trim());
    setText('');
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    // An input method ends a word with Enter, too.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    if (canSend) submit();
  };
  return (
    <form className="composer" onSubmit={submit}>
      <label className="visually-hidden" htmlFor="question">
        Your question
      </label>
      <textarea
        id="question"
        ref={field}
        rows={1}
        value={text}
        maxLength={MOST}
        placeholder="Ask something…"
        aria-describedby="composer-hint"
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div className="composer-row">
        <label className="model">
          <span className="visually-hidden">Model</span>
          <select value={model} onChange={(event) => setModel(event.target.value)}>
            {models.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <p className="hint composer-hint" id="composer-hint">
          {isRunning ? 'Esc stops the answer, in every tab' : 'Enter sends, Shift + Enter breaks the line'}
        </p>
        <button
          className={`round-button${isRunning ? ' is-stop' : ''}`}
          type="submit"
          aria-label={isRunning ? 'Stop the answer' : 'Send'}
          disabled={!isRunning && !canSend}
        >
          <Icon name={isRunning ? 'stop' : 'send'} />
        </button>
      </div>
    </form>
  );
}
