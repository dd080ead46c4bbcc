/** The contract between the server and the page. */

/** How an answer ended, or that it is being written. */
export type AnswerStatus = 'running' | 'done' | 'stopped' | 'failed' | 'abandoned' | 'lost';

/** A chat in the list: a value of the state topic `people/:person`, with the chat's id as its key. */
export interface ChatSummary {
  readonly id: string;
  readonly title: string;
  /** Of the newest answer. */
  readonly status: AnswerStatus;
  /** The newest answer's name. */
  readonly run?: string;
  /** Counts the changes of the chat's messages. */
  readonly revision: number;
  /** Milliseconds since 1970. */
  readonly updatedAt: number;
}

/** The event type of `ChatSummary`. */
export const CHAT = 'chat';

/** Details that the server adds to a message. */
export interface MessageFacts {
  /** Of an answer: its name. */
  readonly run?: string;
  readonly status?: AnswerStatus;
  /** Milliseconds since 1970. */
  readonly at?: number;
}

export interface StoredMessage {
  readonly id: string;
  readonly role: 'user' | 'assistant';
  readonly parts: readonly { readonly type: 'text'; readonly text: string }[];
  readonly metadata?: MessageFacts;
}

/** `GET /api/chats/:chat`. */
export interface ChatPage {
  readonly id: string;
  readonly title: string;
  readonly messages: readonly StoredMessage[];
  readonly revision: number;
  readonly status: AnswerStatus;
}

/** `GET /api/me`. */
export interface Me {
  /** The topic with the person's chats. */
  readonly topic: string;
  readonly models: readonly string[];
}

export const topicOf = (person: string): string => `people/${person}`;
