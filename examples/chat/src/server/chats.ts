import { open } from 'lmdb';
import type { AnswerStatus, ChatPage, ChatSummary, StoredMessage } from '../shared/api.ts';

export interface Chat extends ChatSummary {
  /** The visitors who have opened it, newest last. */
  readonly people: readonly string[];
}

/** A question, new or to be answered once more. The rest of the chat goes. */
export interface Ask {
  readonly chat: string;
  readonly person: string;
  readonly run: string;
  readonly question: StoredMessage;
  readonly now: number;
}

export interface Asked {
  readonly chat: Chat;
  readonly messages: readonly StoredMessage[];
}

const MOST_PEOPLE = 50;
const TITLE_LENGTH = 60;
/** Characters of a chat's id. It comes from a URL, and LMDB throws at longer keys. */
const ID_LENGTH = 100;

/** The chats and their messages, on the disk. */
export interface Chats {
  get(id: string): Chat | undefined;
  page(id: string): ChatPage;
  all(): readonly Chat[];
  /** Somebody has opened the chat. @returns it, if that is news. */
  join(id: string, person: string): Promise<Chat | undefined>;
  /** @returns undefined if another answer is being written. */
  ask(ask: Ask): Promise<Asked | undefined>;
  /** How a run ended, and what it wrote. @returns the chat, if that is news. */
  finish(
    id: string,
    run: string,
    status: AnswerStatus,
    answer: StoredMessage,
    now: number,
  ): Promise<Chat | undefined>;
  close(): Promise<void>;
}

export function openChats(path: string): Chats {
  const root = open({ path, noSubdir: false, maxDbs: 2 });
  const chats = root.openDB<Chat, string>({ name: 'chats' });
  const messages = root.openDB<StoredMessage[], string>({ name: 'messages' });

  function get(id: string): Chat | undefined {
    return id.length > ID_LENGTH ? undefined : chats.get(id);
  }

  function messagesOf(id: string): readonly StoredMessage[] {
    return (id.length > ID_LENGTH ? undefined : messages.get(id)) ?? [];
  }

  function save(chat: Chat): Chat {
    const changed = { ...chat, revision: chat.revision + 1 };
    chats.putSync(chat.id, changed);
    return changed;
  }

  function page(id: string): ChatPage {
    const { title = 'New chat', revision = 0, status = 'done' } = get(id) ?? {};
    return { id, title, revision, status, messages: messagesOf(id) };
  }

  return {
    page,
    get,
    all: () => Array.from(chats.getRange(), ({ value }) => value),
    join: (id, person) =>
      root.transaction(() => {
        const chat = get(id);
        if (chat === undefined || chat.people.includes(person)) return undefined;
        return save({ ...chat, people: [...chat.people, person].slice(-MOST_PEOPLE) });
      }),
    ask: ({ chat: id, person, run, question, now }) =>
      root.transaction(() => {
        const before = get(id) ?? firstOf(id, person, question, now);
        const known = messagesOf(id);
        // The same request again, after a network failure.
        if (before.run === run) return { chat: before, messages: upTo(known, question) };
        if (before.status === 'running') return undefined;
        const kept = upTo(known, question);
        messages.putSync(id, kept);
        return { chat: save({ ...before, run, status: 'running', updatedAt: now }), messages: kept };
      }),
    finish: (id, run, status, answer, now) =>
      root.transaction(() => {
        const chat = get(id);
        if (chat === undefined || chat.run !== run || chat.status !== 'running') return undefined;
        const known = messagesOf(id);
        const isEmpty = answer.parts.every(({ text }) => text === '');
        if (!isEmpty) messages.putSync(id, [...known, answer]);
        return save({ ...chat, status, updatedAt: now });
      }),
    close: () => root.close(),
  };
}

/** A chat as the page lists it. */
export function summaryOf({ people: _people, ...summary }: Chat): ChatSummary {
  return summary;
}

function firstOf(id: string, person: string, question: StoredMessage, now: number): Chat {
  const text = question.parts
    .map((part) => part.text)
    .join(' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
  const title = text.length > TITLE_LENGTH ? `${text.slice(0, TITLE_LENGTH - 1)}…` : text;
  return { id, title, people: [person], status: 'done', revision: 0, updatedAt: now };
}

/** The messages that the question is asked after, and the question. */
function upTo(known: readonly StoredMessage[], question: StoredMessage): StoredMessage[] {
  const at = known.findIndex(({ id }) => id === question.id);
  return at === -1 ? [...known, question] : known.slice(0, at + 1);
}
