/**
 * The contract between the server and the pages of the live app: paths, JSON bodies, topics, event types, limits.
 * Types and constants only, which keep a page's bundle small. One file, longer than others, since it is
 * read as one: the contract.
 *
 * Conventions
 * - Bodies are `application/json` both ways; requests with another content type get 415.
 * - Every error, on every path, is `application/problem+json` in the shape of {@link Problem}.
 * - Times are milliseconds since 1970 (UTC). Ids of rows are positive integers.
 * - The session is an HttpOnly cookie; `fetch` and `EventSource` on the same origin send it by themselves.
 * - Requests that change something (POST, PUT, DELETE) are refused with 403 `request/cross-site` when the
 *   browser says they come from another site.
 */

/** Limits the server enforces; a form can tell its user before the server does. Lengths are UTF-16 units. */
export const LIMITS = {
  /** A post's text, after trimming. */
  postLength: 500,
  /** A user's name: letters, digits and `_`; two names that differ only in case are the same name. */
  nameMin: 2,
  nameMax: 24,
  passwordMin: 8,
  passwordMax: 200,
  /** People that one post notifies; further `@names` stay plain text. */
  mentionsPerPost: 10,
  /** Notifications that are kept for a user, the newest. */
  notificationsKept: 500,
  /** Posts or notifications in one answer, at most and by default. */
  pageSizeMax: 100,
  pageSize: 30,
  /** Minutes that `GET /analytics/pageviews` looks back at most. */
  minutesMax: 1440,
  /** A page's path, as counted. */
  pageLength: 200,
  /**
   * Length of random ids that a page makes up, of letters, digits, `-` and `_`. `crypto.randomUUID()` fits, but
   * exists on HTTPS and localhost only; `crypto.getRandomValues` exists everywhere.
   */
  randomId: { min: 16, max: 64 },
  /** Bytes of a request's body. */
  bodyBytes: 16_384,
} as const;

/**
 * The pages, by path: the HTML file of the Vite build (in `dist/pages`) that is served there. Anything else that the build
 * puts into `dist/pages/assets` is served at `/assets/…` as immutable; other files of the build at their path.
 * The security policy allows scripts, styles, fonts and connections from this origin only and nothing inline
 * (no `<script>…</script>`, no `style="…"` in HTML; styles set by script are fine); images also from `data:`.
 */
export const PAGES = {
  '/': 'index.html',
  '/dashboard': 'dashboard.html',
  '/feed': 'feed.html',
  '/analytics': 'analytics.html',
  '/connections': 'connections.html',
} as const;

/** The file that a browser is shown for an address that leads nowhere, with 404. Programs get a {@link Problem}. */
export const NOT_FOUND_PAGE = 'not-found.html';

/**
 * Paths of the API.
 *
 * | request                                   | needs a session | answers                                   |
 * | ----------------------------------------- | --------------- | ----------------------------------------- |
 * | `GET    /session`                         |                 | 200 {@link SessionInfo}, `user: null` if signed out; renews the session |
 * | `POST   /users`          {@link Credentials} |              | 201 {@link SessionInfo}: signed up and in; 409 `user/name-taken` |
 * | `POST   /session`        {@link Credentials} |              | 200 {@link SessionInfo}; 401 `session/wrong-credentials` |
 * | `DELETE /session`                         |                 | 204; ends the streams of this session     |
 * | `GET    /posts?before=<id>&limit=<n>`     |                 | 200 {@link PostList}, newest first        |
 * | `POST   /posts`          {@link NewPost}  | yes             | 201 {@link Post} (`Location` has its path) |
 * | `GET    /posts/:id`                       |                 | 200 {@link Post}; 404 `post/not-found`    |
 * | `DELETE /posts/:id`                       | yes             | 204; 403 `post/not-yours`; 404            |
 * | `PUT    /posts/:id/like`                  | yes             | 200 {@link LikeState}; repeating it changes nothing |
 * | `DELETE /posts/:id/like`                  | yes             | 200 {@link LikeState}; repeating it changes nothing |
 * | `GET    /notifications?before=<id>&limit=<n>` | yes         | 200 {@link NotificationList}, newest first |
 * | `PUT    /notifications/read` {@link ReadUpTo} | yes         | 200 {@link UnreadCount}                   |
 * | `GET    /analytics/pageviews?minutes=<n>` |                 | 200 {@link PageViews}                     |
 * | `GET    /events?topic=…`                  | for `user/<id>` | the event stream, see {@link TOPICS}      |
 * | `GET    /count?page=…&view=…&visitor=…`   |                 | an event stream that only counts its page; any origin |
 * | `GET    /embed.js`                        |                 | the script that other sites include       |
 * | `GET    /healthz`                         |                 | 200 {@link Health}, 503 while draining    |
 * | `GET    /metrics`                         |                 | Prometheus text                           |
 *
 * Any of them may answer 400 `request/invalid` (with {@link Problem.errors}), 401 `session/required`,
 * 405 `method/not-allowed`, 413, 415 and 429 `limit/exceeded`, whose `Retry-After` says after how many seconds.
 */
export const ROUTES = {
  session: '/session',
  users: '/users',
  posts: '/posts',
  notifications: '/notifications',
  notificationsRead: '/notifications/read',
  pageViews: '/analytics/pageviews',
  events: '/events',
  count: '/count',
  embed: '/embed.js',
  health: '/healthz',
  metrics: '/metrics',
} as const;

/** Below this path are the sources of the app and the documentation, as text. */
export const SOURCE = '/source';

/** RFC 9457 problem details. Pages should branch on `code`, which is stable. */
export interface Problem {
  type: 'about:blank';
  title: string;
  status: number;
  detail: string;
  code: string;
  /** For `request/invalid`: the faults of each field (`''` is the body as a whole). */
  errors?: { field: string; message: string }[];
}

// --- users and sessions -----------------------------------------------------------------------------------

export interface User {
  id: number;
  name: string;
}

export interface Credentials {
  name: string;
  password: string;
}

export interface SessionInfo {
  user: User | null;
  /** When the session ends unless it is renewed; null if signed out. Its streams end then, too. */
  expiresAt: number | null;
}

// --- feed -------------------------------------------------------------------------------------------------

export interface Post {
  id: number;
  author: User;
  /** Plain text, to be shown as text. `findMentions` of `shared/mentions.ts` finds the `@names` in it. */
  text: string;
  /** Those of the `@names` that are users, in lower case. Events of earlier releases don't have it. */
  mentions?: string[];
  createdAt: number;
  likes: number;
  /** Whether the asking user likes it; false if signed out. */
  liked: boolean;
}

/** A post as everyone sees it: the data of the `post` event. */
export type PublicPost = Omit<Post, 'liked'>;

export interface PostList {
  /**
   * Taken before the posts were read: subscribe to `posts` from here and nothing is missing. Something may be
   * sent again, so insert or replace posts by id.
   */
  cursor: string;
  posts: Post[];
  /** Pass as `before` for the next older ones; null at the end. */
  next: number | null;
}

export interface NewPost {
  text: string;
  /**
   * A random id ({@link LIMITS.randomId}) made once per post written. Sending it again, because the answer got
   * lost, gives the post that was saved the first time.
   */
  key?: string;
}

export interface LikeState {
  id: number;
  likes: number;
  liked: boolean;
}

// --- notifications ----------------------------------------------------------------------------------------

export interface Notification {
  id: number;
  type: 'mention';
  /** The user who mentioned you. */
  from: User;
  post: { id: number; text: string };
  createdAt: number;
  read: boolean;
}

export interface NotificationList {
  /** As in {@link PostList.cursor}, for the topic `user/<id>`. */
  cursor: string;
  unread: number;
  notifications: Notification[];
  next: number | null;
}

/** Marks this notification and all older ones as read. */
export interface ReadUpTo {
  upTo: number;
}

export interface UnreadCount {
  unread: number;
}

// --- analytics --------------------------------------------------------------------------------------------

/**
 * A page's name: its path (`/feed`) if it is of this site, else host and path (`shop.example/cart`).
 * There is room for a number of distinct pages; the least viewed ones are counted together, as `(other)`.
 */
export type PageName = string;

export interface PageViews {
  /** As in {@link PostList.cursor}, for the topic `pageviews`. */
  cursor: string;
  /** Every requested minute, oldest first, including those without a view. `at` is the minute's start. */
  minutes: { at: number; views: number }[];
  /** The most viewed pages of all time, most viewed first. */
  pages: PageTotal[];
  /** Of all pages, of all time. */
  total: number;
}

export interface PageTotal {
  page: PageName;
  total: number;
}

// --- the event stream -------------------------------------------------------------------------------------

/**
 * Topics of `GET /events?topic=a&topic=b`; one connection carries all that a page needs.
 *
 * | topic         | who    | on connecting                 | then                                                |
 * | ------------- | ------ | ----------------------------- | --------------------------------------------------- |
 * | `posts`       | all    |                               | `post`, `post:liked`, `post:deleted`                |
 * | `dashboard`   | all    | `dashboard:snapshot`          | `dashboard:delta`, a few once a second; `dashboard:nodes` |
 * | `viewers`     | all    | `viewers:snapshot`            | `viewers:delta`                                     |
 * | `pageviews`   | all    | (`GET /analytics/pageviews`)  | `pageviews:delta`                                   |
 * | `connections` | all    | `connections:snapshot`        | `connections:delta`, at most one a second           |
 * | `user/<id>`   | that user; 401 without session, 403 otherwise | (`GET /notifications`) | `mention`, `notifications:unread` |
 * | those of {@link countingTopics} | all |            |                                                     |
 *
 * Any other topic, and patterns, are refused with 400 `topic/unknown`. All tabs of a browser may share one stream.
 *
 * Snapshots come on every connect, also after a reconnect, when older deltas may still follow: deltas and
 * snapshots carry a `version`. Replace all you have by the snapshot; ignore a delta whose `version` is not
 * greater than your own; those of `viewers` apply unless it is less. (A snapshot always wins, regardless of its version.)
 *
 * If several processes serve the app, `dashboard` and `connections` tell of one of them: a snapshot names the `node` that the
 * page is connected to. Ignore deltas of others.
 *
 * Counting the page: while a page is looked at, it also asks for the topics of {@link countingTopics}. It is viewed for
 * as long as a stream has them, plus a short grace time. Viewers are recognized by a first-party cookie the server
 * sets. A request with the headers of {@link VISIT_HEADERS} counts a page view.
 */
export const TOPICS = {
  posts: 'posts',
  dashboard: 'dashboard',
  viewers: 'viewers',
  pageViews: 'pageviews',
  connections: 'connections',
} as const;

/** Nothing is published on these: streams that have them are counted, on all pages together and on each. */
export const ANY_PAGE = 'pages';
export const PAGE_PREFIX = 'page/';

/** The topics by which the viewers of a page are counted. On `/events` it has to be one of {@link PAGES}. */
export function countingTopics(page: PageName): readonly [string, string] {
  return [ANY_PAGE, PAGE_PREFIX + page];
}

/**
 * A page's path, and a random id ({@link LIMITS.randomId}) made once per page load and sent with each of its requests for
 * a stream: a load counts once. Headers, since tabs with different URLs can't share a stream.
 */
export const VISIT_HEADERS = { page: 'X-Page', view: 'X-View' } as const;

/** `/feed/` is `/feed`. */
export function trimPath(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') || '/' : path;
}

/** The private topic of a user. */
export function userTopic(userId: number): string {
  return `user/${userId}`;
}

/** Every event type of the app with the JSON its `data` holds. */
export interface Events {
  /** On `posts`: a new post. */
  post: PublicPost;
  /** On `posts`: somebody (`userId`) liked it or took the like back (`liked`); `likes` is the count now. */
  'post:liked': { id: number; likes: number; userId: number; liked: boolean };
  /** On `posts`. */
  'post:deleted': { id: number };

  /** On `user/<id>`, to that user only. */
  mention: Notification;
  /** On `user/<id>`: the count changed by other ways than a mention; all up to `readUpTo` are read now. */
  'notifications:unread': { unread: number; readUpTo: number | null };

  'dashboard:snapshot': DashboardSnapshot;
  'dashboard:delta': DashboardDelta;
  'dashboard:nodes': DashboardNodes;

  'viewers:snapshot': ViewersSnapshot;
  'viewers:delta': ViewersDelta;
  'pageviews:delta': PageViewsDelta;

  'connections:snapshot': ConnectionsSnapshot;
  'connections:delta': ConnectionsDelta;
}

/**
 * The figures of the dashboard, all of this very process. null: not known yet (a rate needs two samples; a
 * percentile needs something that happened).
 */
export interface Metrics {
  /** Open event streams. */
  connections: number | null;
  /** Distinct users with an open event stream. */
  usersOnline: number | null;
  /** Events given to the hub, per second. */
  publishedPerSecond: number | null;
  /** Events written to connections, per second. */
  deliveredPerSecond: number | null;
  /** Bytes written to connections, per second, without the snapshots that greet them. */
  bytesPerSecond: number | null;
  /** From publish to write, in ms, over the flushes since the last sample; null if there was none. */
  lagP50: number | null;
  lagP99: number | null;
  /** How late the event loop runs its timers, in ms, over the last second. */
  loopDelayP50: number | null;
  loopDelayP99: number | null;
  /** Bytes. */
  rss: number | null;
  heapUsed: number | null;
  /** Posts that exist. */
  posts: number | null;
  /** Page views of all time. */
  pageViews: number | null;
}

export type MetricName = keyof Metrics;

/** One of the processes that serve the app, as it reported itself a moment ago. */
export interface NodeFigures {
  id: string;
  name: string;
  startedAt: number;
  /** Open event streams. */
  connections: number;
  /** null: not known yet. */
  publishedPerSecond: number | null;
  deliveredPerSecond: number | null;
}

/** The nodes as the node of that name sees them: itself first. */
export interface DashboardNodes {
  node: string;
  nodes: NodeFigures[];
}

export interface DashboardSnapshot extends DashboardNodes {
  version: number;
  /** When `metrics` were sampled; `connections` and `usersOnline` are as of now. */
  at: number;
  /** When the server process started. */
  startedAt: number;
  /** Milliseconds between samples. */
  interval: number;
  metrics: Metrics;
  /**
   * The last half hour, in columns as uPlot takes them: `at[i]` belongs to `series[name][i]`. The last five minutes are
   * as they were sampled; before, a row stands for ten seconds. Ends with the sample at `at`. A time that was not
   * sampled begins with a row of nulls.
   */
  history: { at: number[]; series: Record<MetricName, (number | null)[]> };
}

/**
 * Metrics that changed, with those that change together with them; the others are as they were. No delta for a
 * second in which nothing changed. The topic is a state: a page that was away gets the newest delta of each group.
 */
export interface DashboardDelta {
  version: number;
  node: string;
  at: number;
  metrics: Partial<Metrics>;
}

export interface PageViewers {
  page: PageName;
  viewers: number;
}

export interface ViewersSnapshot {
  version: number;
  /** Pages with at least one viewer, most viewed first. */
  pages: PageViewers[];
  /** Distinct people on any page. */
  people: number;
}

/** Pages whose number changed, with the new number; 0 means that everyone left. */
export interface ViewersDelta {
  version: number;
  pages: PageViewers[];
  people: number;
}

/** Counts as they are now, not increments: applying one twice does no harm. */
export interface PageViewsDelta {
  /** The minutes that changed. */
  minutes: { at: number; views: number }[];
  /** The pages that changed; 0 for one whose views are counted under `(other)` from now on. */
  pages: PageTotal[];
  total: number;
}

/** One open event stream. Addresses are cut (`192.0.2.x`) and private topics have no id (`user/…`). */
export interface ConnectionRow {
  /** The id in the stream's own `tidings:welcome`. */
  id: string;
  /** The same for all streams of a browser, by which a page finds its own; null for other programs. */
  browser: string | null;
  connectedAt: number;
  remote: string;
  signedIn: boolean;
  topics: string[];
  /** `opening`: just connected. `live`: gets events as they happen. `behind`: catches up. `ending`: got its goodbye. */
  state: string;
  /** Events it has yet to be given. */
  lag: number;
  /** Bytes written to it. */
  bytes: number;
  protocol: string;
  /** Browser or program, e.g. `Chrome 142`, `curl`. */
  agent: string;
}

/** The hub as a whole, since its process started. */
export interface HubFigures {
  /** Streams that are catching up, or about to begin. */
  behind: number;
  /** Streams that were dropped since their peer took nothing. */
  stalled: number;
  /** The seq of the newest event of the log. */
  head: number;
  /** Newest events of the log, kept in memory: how many, and their bytes. */
  tailEvents: number;
  tailBytes: number;
}

export interface ConnectionsSnapshot {
  version: number;
  node: string;
  at: number;
  /** The `browser` of this page's own streams. */
  own: string;
  /** Oldest first, at most a few hundred of them. */
  connections: ConnectionRow[];
  /** How many there are, including unlisted ones. */
  total: number;
  hub: HubFigures;
}

export interface ConnectionsDelta {
  version: number;
  node: string;
  at: number;
  /** New, or with something changed. */
  upserted: ConnectionRow[];
  /** Ids. */
  removed: string[];
  total: number;
  hub: HubFigures;
}

// --- operations -------------------------------------------------------------------------------------------

export interface Health {
  status: 'ok' | 'draining';
}
