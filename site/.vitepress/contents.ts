// The table of contents: the sidebar shows it, `llms.txt` lists it, and a test holds the pages to it.

export interface Entry {
  readonly text: string;
  /** The address, without `.md`. */
  readonly page: string;
  /** A line for `llms.txt`. */
  readonly about: string;
}

export interface Group {
  readonly text: string;
  readonly items: readonly Entry[];
}

const entry = (text: string, page: string, about: string): Entry => ({ text, page, about });

export const groups: readonly Group[] = [
  {
    text: 'Start',
    items: [
      entry(
        'Getting started',
        'getting-started',
        'From nothing to a page that survives a restart, with curl and a browser',
      ),
      entry('Concepts', 'concepts', 'A connection is a cursor on a log; three drawings and a glossary'),
      entry('Questions', 'faq', 'Short answers, and what to do when a page gets nothing'),
    ],
  },
  {
    text: 'Guides',
    items: [
      entry(
        'Topics and events',
        'guides/topics-and-events',
        'Publish, patterns, types and data, mounting a hub',
      ),
      entry(
        'Load, then follow',
        'guides/load-and-follow',
        'A list from a database, kept current without a hole',
      ),
      entry(
        'Resume and gaps',
        'guides/resume-and-gaps',
        'What happens after a drop, a restart, and when events have aged out',
      ),
      entry('The client', 'guides/client', 'connect(): reading, status, what it does when something fails'),
      entry(
        'Authorization',
        'guides/authorization',
        'Who connects, what they may read, until when; private events',
      ),
      entry(
        'States',
        'guides/states',
        'Current values first, then changes; intervals, tombstones, conditions',
      ),
      entry('Presence', 'guides/presence', 'Who is there, as people instead of connections'),
      entry(
        'Topics that come and go',
        'guides/changing-topics',
        'subscribe and unsubscribe on an open stream; renewal',
      ),
      entry('Several tabs', 'guides/several-tabs', 'One stream per browser, HTTP/2, hidden pages'),
      entry(
        'Connections that last',
        'guides/connections',
        'Heartbeats, slow readers, ending and shutting down',
      ),
      entry(
        'Streaming LLM answers',
        'guides/llm-answers',
        'Answers that survive reloads, more tabs and restarts',
      ),
      entry('Testing your app', 'guides/testing', 'With a real hub, and a clock to turn by hand'),
      entry('TypeScript, CommonJS, Jest', 'guides/typescript-and-jest', 'Settings that work'),
    ],
  },
  {
    text: 'Frameworks',
    items: [
      entry(
        'On the server',
        'guides/frameworks',
        'node:http, HTTP/2, Express, Fastify, Koa, NestJS, Hono, Bun, Deno, h3, Nuxt, Next.js, SvelteKit, Workers',
      ),
      entry('React', 'guides/react', 'Hooks over one connection'),
      entry('Vue', 'guides/vue', 'A composable'),
      entry('Svelte', 'guides/svelte', 'A store'),
      entry('A plain page', 'guides/plain-page', 'EventSource, or the client without a bundler'),
      entry(
        'Examples: one per server',
        'examples/servers',
        'The same small app with Express, Fastify, Koa, Hono, NestJS, node:http, HTTP/2, Bun, Deno',
      ),
      entry('Example: SvelteKit', 'examples/sveltekit', 'The same app, with a page'),
      entry('Example: React', 'examples/react', 'A small app to read and run'),
      entry(
        'Example: a chat with a model',
        'examples/chat',
        'Answers that survive reloads, tabs and restarts',
      ),
      entry('Example: the live app', 'examples/live', 'Dashboard, feed, viewers, notifications with Express'),
    ],
  },
  {
    text: 'Recipes',
    items: [
      entry('A live dashboard', 'recipes/live-dashboard', 'State topics with an interval'),
      entry('A social feed', 'recipes/social-feed', 'Posts and likes: load, follow, idempotent posts'),
      entry('Analytics', 'recipes/analytics', 'Viewers per page, page views'),
      entry('Notifications', 'recipes/notifications', 'Private events for one user on all devices'),
      entry('Batching', 'recipes/batching', 'Bursts, conflation, rendering once per frame'),
      entry('Rate limiting', 'recipes/rate-limiting', 'Connections at a time and per minute'),
      entry('Monitoring', 'recipes/monitoring', 'Counters, alerts, finding out why somebody gets nothing'),
    ],
  },
  {
    text: 'In production',
    items: [
      entry(
        'Deploy',
        'deploy',
        'nginx, HAProxy, Apache, Caddy, Traefik, Cloudflare, AWS, Kubernetes, systemd, Heroku, Fly.io',
      ),
      entry('Scale', 'scale', 'What one process and one log can do, up to a million connections'),
      entry('Several processes', 'guides/several-processes', 'One per core, on one log'),
      entry(
        'Several machines',
        'guides/several-machines',
        'One log in Redis or PostgreSQL; what hubs know of each other',
      ),
      entry('PostgreSQL', 'guides/postgres', 'Events in your own transactions; roles, failover'),
      entry('Operate', 'guides/operate', 'Metrics, alerts, health checks, a runbook'),
      entry('Security checklist', 'security-checklist', 'Before the first stranger connects'),
      entry('Performance', 'performance', 'Figures, side by side in one run'),
    ],
  },
  {
    text: 'The server',
    items: [
      entry(
        'Quickstart for any backend',
        'server/quickstart',
        'Start it; publish from curl, PHP, Python; tokens for users',
      ),
      entry('Running it', 'guides/server', 'tidings serve: configure, tokens, logs, restarts'),
      entry('HTTP API', 'http-api', 'Publishing and subscribing from any language'),
      entry(
        'Who may publish and subscribe',
        'guides/server-auth',
        'Tokens, keys, claims, cookies, API keys, revocation',
      ),
      entry('TLS and HTTP/2', 'guides/server-tls', 'Certificates that are renewed while it runs'),
      entry('The Mercure protocol', 'guides/mercure', 'Publishers and pages of Mercure, unchanged'),
      entry('Settings', 'server-settings', 'Every setting as key, variable and flag'),
      entry('Command line and doctor', 'server/', 'The standalone program; find what breaks streaming'),
    ],
  },
  {
    text: 'Compare and migrate',
    items: [
      entry(
        'Comparison',
        'comparison',
        'better-sse, Socket.IO, ws, nchan, Mercure, Centrifugo, services, polling',
      ),
      entry(
        'From hand-written SSE',
        'guides/from-hand-written-sse',
        'Fifteen patterns, what goes wrong, what replaces them',
      ),
      entry('From better-sse', 'migrate/better-sse', 'Sessions and channels become topics'),
      entry('From Socket.IO', 'migrate/socket-io', 'Rooms become topics, emits become requests'),
      entry('From Mercure', 'migrate/mercure', 'The server speaks it; or move into your Node app'),
      entry('From Pusher', 'migrate/pusher', 'Channels become topics, and nothing is lost in a tunnel'),
      entry('From Centrifugo', 'migrate/centrifugo', 'Its terms, for the server and for the library'),
      entry(
        'From resumable-stream',
        'migrate/resumable-stream',
        'Answers of models that can be followed, stopped and kept',
      ),
    ],
  },
  {
    text: 'Reference',
    items: [
      entry('Options', 'options', 'Every option, its default and its unit'),
      entry('Errors', 'errors', 'Every error code and what to do'),
      entry('Protocol', 'protocol', 'The bytes on the wire'),
      entry('Types', 'types', 'What each entry point exports'),
      entry(
        'Write your own log',
        'guides/write-your-own-log',
        'A complete one, and the contract to hold it to',
      ),
      entry(
        'Write your own transport',
        'guides/write-your-own-transport',
        'A complete one, and its contract',
      ),
    ],
  },
  {
    text: 'The project',
    items: [
      entry('Architecture', 'architecture', 'The map of the code'),
      entry('Decisions', 'adr/', 'Why it is so'),
      entry('Benchmarks', 'benchmarks', 'How each figure is measured'),
      entry('Contributing', 'contributing', 'Build, test, rules of the house'),
      entry('Security policy', 'security-policy', 'What the library promises; reporting'),
      entry('Changelog', 'changelog', 'What changed'),
    ],
  },
];
