import type { Matcher } from 'tidings';
import { WILDCARD } from '../characters.ts';
import type { Hub } from '../hub.ts';
import { MAX_MATCHER_LENGTH } from '../matchers.ts';
import { isTemplate } from './uri-template.ts';

/** Names of 0.x. */
export const LEGACY = {
  /** Of a matcher in the query. */
  topic: 'topic',
  cookie: 'mercureAuthorization',
  /** Of the token in the query. */
  token: 'authorization',
  lastEventId: ['lastEventID', 'Last-Event-ID', 'last-event-id'],
  lastEventIdField: 'last-event-id',
  claims: ['mercure', 'https://mercure.rocks/'],
} as const;

/** A topic selector of 0.x: `*`, a topic, or a URI template, which also stands for itself. */
export function toSelector(
  text: string,
  { uriTemplates, names }: Pick<Hub, 'uriTemplates' | 'names'>,
): readonly Matcher[] {
  if (text === WILDCARD) return names.everything;
  const topic = names.onLog(text);
  return isTemplate(text) ? [topic, uriTemplates.pattern(text, MAX_MATCHER_LENGTH)] : [topic];
}
