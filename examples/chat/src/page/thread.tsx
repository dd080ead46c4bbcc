import { type ReactElement, memo, useEffect } from 'react';
import type { AnswerStatus } from '../shared/api.ts';
import { Icon } from './icons.tsx';
import { Markdown } from './markdown.tsx';
import { Waves } from './sidebar.tsx';
import type { Answers, Message } from './use-answers.ts';
import { useFollowing } from './use-following.ts';

/** The questions and answers of a chat. */
export function Thread({ messages, phase, ending, error, again }: Answers): ReactElement {
  const { frame, content, isFollowing, follow } = useFollowing();
  const questions = messages.filter(({ role }) => role === 'user').length;
  // Somebody who asks wants to see the answer.
  useEffect(follow, [questions, follow]);
  return (
    <div className="thread-frame">
      {/* A keyboard scrolls it, too. */}
      <div className="thread" ref={frame} tabIndex={0} role="region" aria-label="Conversation">
        <div className="thread-content" ref={content}>
          {messages.map((message, i) => (
            <Entry
              key={message.id}
              message={message}
              isWriting={phase === 'writing' && i === messages.length - 1}
            />
          ))}
          {phase === 'waiting' && (
            <p className="thinking">
              <Waves /> Thinking…
            </p>
          )}
          <Ending ending={ending} error={error} again={again} />
        </div>
      </div>
      {!isFollowing && (
        <button className="to-end" onClick={follow} aria-label="To the latest words">
          <Icon name="down" />
        </button>
      )}
      <p className="visually-hidden" role="status">
        {announcementOf(phase, ending)}
      </p>
    </div>
  );
}

const Entry = memo(function Entry({
  message,
  isWriting,
}: {
  readonly message: Message;
  readonly isWriting: boolean;
}): ReactElement {
  const text = message.parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
  if (message.role === 'user') {
    return (
      <article className="question">
        <h2 className="visually-hidden">You asked</h2>
        <p>{text}</p>
      </article>
    );
  }
  return (
    <article className={`answer${isWriting ? ' is-writing' : ''}`} aria-busy={isWriting} data-testid="answer">
      <h2 className="visually-hidden">Answer</h2>
      <Markdown text={text} />
    </article>
  );
});

/** The note under an answer that didn't get to its end. */
const ENDINGS: Partial<Record<AnswerStatus, string>> = {
  stopped: 'You stopped this answer.',
  failed: 'The model failed in the middle of its answer. The beginning is above.',
  abandoned: 'Nobody watched, so the model was stopped. The beginning is above.',
  lost: 'The server went away while it wrote this answer. The beginning is above.',
};

function Ending({ ending, error, again }: Pick<Answers, 'ending' | 'error' | 'again'>): ReactElement | null {
  const words = ending === undefined ? undefined : ENDINGS[ending];
  const text = words ?? (error === undefined ? undefined : errorText(error));
  if (text === undefined) return null;
  return (
    <div className={`notice${ending === 'stopped' ? ' is-quiet' : ''}`} data-testid="ending">
      <Icon name={ending === 'stopped' ? 'stop' : 'alert'} />
      <p>{text}</p>
      <button className="button button-small" onClick={again}>
        <Icon name="again" />
        Try again
      </button>
    </div>
  );
}

/** A refusal's own words, if the server gave some. */
function errorText({ message }: Error): string {
  try {
    const { detail } = JSON.parse(message.slice(message.indexOf('{'))) as { detail?: unknown };
    if (typeof detail === 'string') return detail;
  } catch {
    // No problem document: a network failure, say.
  }
  return 'The answer could not be shown to its end.';
}

/** For screen readers: that an answer begins and ends, not every word of it. It is there to be read as a heading. */
function announcementOf(phase: Answers['phase'], ending: AnswerStatus | undefined): string {
  if (phase === 'waiting') return 'Your question was sent.';
  if (phase === 'writing') return 'The answer is being written.';
  if (ending === undefined) return '';
  return ENDINGS[ending] ?? 'The answer is complete.';
}
