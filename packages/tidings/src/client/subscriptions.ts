import { SUBSCRIBED } from '../protocol/control.ts';
import type { DecodedEvent } from '../protocol/decode.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import { type Matcher, matcherKey } from '../protocol/matcher.ts';
import { type ChangeReply, requestChange } from './change-request.ts';
import { type Credentials, readTopics } from './notices.ts';
import type { Settings } from './options.ts';
import type { Failure } from './response.ts';
import {
  applyWish,
  NO_TOPICS,
  type Plan,
  placeTopics,
  planConnection,
  settleTopics,
  type Topics,
  unsettled,
  type Wish,
} from './topics.ts';

/** Where and from where on to ask for a stream. */
export interface Request extends Plan {
  readonly cursor: string | undefined;
}

export interface SubscriptionHooks {
  /** The connection cannot be changed: another one is needed. */
  readonly onReplace: () => void;
  /** The connection is not for what it should be for, and the server refuses to change it. */
  readonly onFailure: (failure: Failure) => void;
  /** Events of these were promised, and are missing. */
  readonly onLost: (matchers: readonly Matcher[]) => void;
}

/** What the client is for, and the requests that change that. */
export interface Subscriptions {
  /** @returns the cursor after which the events of what was added begin. @throws {TidingsError} */
  change(wish: Wish): Promise<string>;
  /** What to ask of a connection that is to go on from `cursor`. */
  request(cursor: string | undefined): Request;
  /** The connection that was asked for is there. `cursor` as in `since` of a topic. */
  greeted(credentials: Credentials | undefined, cursor: string, announced: boolean): void;
  /** An item of the stream was handed out; `moved` if the cursor did. */
  handed(item: DecodedEvent | { readonly onlyId: string }, moved: boolean): void;
  /** The connection is over. */
  left(): void;
  /** Asks to let the connection go on beyond its authorization. @returns why not, unless the connection is over. */
  renew(): Promise<TidingsError | undefined>;
  /** Nothing will change any more. */
  finish(error: TidingsError): void;
}

interface Order extends Wish {
  readonly resolve: (cursor: string) => void;
  readonly reject: (error: TidingsError) => void;
}

/** One connection. */
interface Session {
  readonly credentials: Credentials | undefined;
  readonly controller: AbortController;
  /** What was asked for, until the stream has shown that all of it up to a cursor was sent. */
  asked: { readonly matchers: readonly Matcher[]; readonly since: string } | undefined;
  /** What has to be added to it, because the request could not ask for it. */
  missing: readonly Matcher[];
  /** What the stream said last of what it is for: that may come before the answer which says the same. */
  told: { readonly matchers: readonly Matcher[]; readonly cursor: string } | undefined;
  busy: boolean;
}

/**
 * So many requests in a row without an answer from the connection's own server, and what they ask for is asked of a
 * new connection instead: requests are spread over several servers, or something in between lets none through.
 */
const MAX_MISSES = 2;

export function createSubscriptions(settings: Settings, hooks: SubscriptionHooks): Subscriptions {
  let topics: Topics = applyWish(NO_TOPICS, { add: settings.topics, drop: [] }, '');
  const orders: Order[] = [];
  let plan: Plan = { matchers: [], asNew: true };
  let absorbed: Order | undefined;
  let session: Session | undefined;
  /** The server has sent something although nothing was asked for: it knows by itself what the URL is for. */
  let fixed = false;
  let begun = false;
  let misses = 0;
  let end: TidingsError | undefined;

  function change(wish: Wish): Promise<string> {
    if (end !== undefined) return Promise.reject(end);
    return new Promise((resolve, reject) => {
      orders.push({ ...wish, resolve, reject });
      void work();
    });
  }

  function request(cursor: string | undefined): Request {
    const whole = misses >= MAX_MISSES;
    absorbed = whole || (topics.size === 0 && !fixed) ? orders[0] : undefined;
    plan = planConnection(absorbed === undefined ? topics : applyWish(topics, absorbed, ''), whole);
    if (plan.matchers.length === 0) plan = { ...plan, asNew: !begun };
    return { ...plan, cursor };
  }

  function greeted(credentials: Credentials | undefined, cursor: string, announced: boolean): void {
    if (end !== undefined) return;
    if (absorbed !== undefined && orders[0] === absorbed) {
      topics = applyWish(topics, absorbed, cursor);
      orders.shift();
      absorbed.resolve(cursor);
    }
    absorbed = undefined;
    misses = Math.min(misses, 1);
    fixed = plan.matchers.length === 0;
    const { matchers } = plan;
    topics = placeTopics(topics, matchers, cursor);
    const asked = new Set(matchers.map(matcherKey));
    const missing = unsettled(topics).map(({ matcher }) => matcher);
    session = {
      credentials,
      controller: new AbortController(),
      asked: { matchers, since: cursor },
      missing: missing.filter((matcher) => !asked.has(matcherKey(matcher))),
      told: undefined,
      busy: false,
    };
    // Who doesn't announce itself knows no states, and all there is comes after the cursor.
    if (!announced) settleAsked(session);
    void work();
  }

  function settleAsked(current: Session): void {
    if (current.asked === undefined) return;
    topics = settleTopics(topics, current.asked.matchers, current.asked.since);
    current.asked = undefined;
    begun = true;
  }

  function handed(item: DecodedEvent | { readonly onlyId: string }, moved: boolean): void {
    if (session === undefined) return;
    const told = 'type' in item && item.type === SUBSCRIBED;
    if (told) {
      session.told = { matchers: readTopics(item.data), cursor: item.id };
      topics = settleTopics(topics, session.told.matchers, session.told.cursor);
    }
    // The values of states have no ids of their own, but what comes after all of them has.
    if (told || moved || 'onlyId' in item) settleAsked(session);
  }

  async function work(): Promise<void> {
    const current = session;
    if (current === undefined || current.busy) return;
    current.busy = true;
    while (session === current) {
      const [order] = orders;
      if (current.missing.length > 0) await restore(current, current.missing);
      else if (order !== undefined) await carryOut(current, order);
      else break;
    }
    current.busy = false;
  }

  async function ask(current: Session, wish: Partial<Wish>): Promise<ChangeReply | undefined> {
    if (current.credentials === undefined) {
      misses = MAX_MISSES;
      hooks.onReplace();
      return undefined;
    }
    const reply = await requestChange(
      settings,
      { ...current.credentials, ...wish },
      current.controller.signal,
    );
    // The next connection is asked anew.
    if (session !== current) return undefined;
    if (reply.type === 'missed') {
      misses += 1;
      hooks.onReplace();
    } else if (reply.type === 'changed') misses = 0;
    return reply;
  }

  async function carryOut(current: Session, order: Order): Promise<void> {
    if (topics.size > 0 && applyWish(topics, order, '').size === 0) {
      orders.shift();
      order.reject(nothingLeft());
      return;
    }
    const reply = await ask(current, { add: order.add, drop: order.drop });
    if (reply === undefined || reply.type === 'missed') return;
    orders.shift();
    if (reply.type === 'refused') {
      order.reject(reply.failure.error);
      return;
    }
    topics = applyWish(topics, order, reply.cursor);
    if (current.told !== undefined) topics = settleTopics(topics, current.told.matchers, current.told.cursor);
    order.resolve(reply.cursor);
  }

  /** Adds what the client is for, but could not ask for in the request. */
  async function restore(current: Session, missing: readonly Matcher[]): Promise<void> {
    const reply = await ask(current, { add: missing });
    if (reply === undefined || reply.type === 'missed') return;
    if (reply.type === 'refused') {
      hooks.onFailure(reply.failure);
      return;
    }
    const keys = new Set(missing.map(matcherKey));
    const late = unsettled(topics).filter((topic) => keys.has(matcherKey(topic.matcher)));
    const lost = late.filter(({ since }) => since !== reply.cursor).map(({ matcher }) => matcher);
    current.missing = [];
    topics = placeTopics(topics, missing, reply.cursor);
    if (current.told !== undefined) topics = settleTopics(topics, current.told.matchers, current.told.cursor);
    if (lost.length > 0) hooks.onLost(lost);
  }

  function left(): void {
    const over = session;
    session = undefined;
    over?.controller.abort();
  }

  async function renew(): Promise<TidingsError | undefined> {
    const current = session;
    if (current?.credentials === undefined) return undefined;
    const reply = await requestChange(settings, current.credentials, current.controller.signal);
    if (session !== current || reply.type === 'changed') return undefined;
    return reply.type === 'refused' ? reply.failure.error : reply.error;
  }

  function finish(error: TidingsError): void {
    end ??= error;
    left();
    for (const { reject } of orders.splice(0)) reject(end);
  }

  return { change, request, greeted, handed, left, renew, finish };
}

function nothingLeft(): TidingsError {
  const message = 'A stream is for one topic at least; to have none, close the client.';
  return new TidingsError('topic/missing', message, { status: 400 });
}
