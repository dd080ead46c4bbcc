import type { Payload } from '../authorization-details.ts';
import type { TypedMatcher } from '../matchers.ts';

/** A subscription, as the draft describes it to others. */
export interface SubscriptionDocument {
  /** The topic of its updates, and its path. */
  readonly id: string;
  readonly type: 'subscription';
  readonly match_type: string;
  readonly match: string;
  readonly subscriber: string;
  readonly active: boolean;
  readonly payload?: Payload;
}

/** `path`: that of all subscriptions. */
export function toDocument(
  path: string,
  { type, text }: TypedMatcher,
  subscriber: string,
  payload: Payload | undefined,
): SubscriptionDocument {
  return {
    id: documentId(path, { type, text }, subscriber),
    type: 'subscription',
    match_type: type,
    match: text,
    subscriber,
    active: true,
    ...(payload !== undefined && { payload }),
  };
}

/** The path of all subscriptions by one matcher. */
export function collectionId(path: string, { type, text }: TypedMatcher): string {
  return `${path}/${expand(type)}/${expand(text)}`;
}

/** The path of one of them. */
export function documentId(path: string, matcher: TypedMatcher, subscriber: string): string {
  return `${collectionId(path, matcher)}/${expand(subscriber)}`;
}

/** A variable of a URI template, encoded once and as a whole: https://www.rfc-editor.org/rfc/rfc6570#section-3.2.2 */
function expand(value: string): string {
  return encodeURIComponent(value).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

export function isDocument(value: unknown): value is SubscriptionDocument {
  return typeof value === 'object' && value !== null && (value as { type?: unknown }).type === 'subscription';
}
