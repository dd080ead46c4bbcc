import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const root = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const src = 'packages/tidings/src';
const server = 'packages/server/test';
const auth = 'packages/server/src/auth';
const operation = 'packages/server/src/operation';
const integration = 'packages/tidings/test/security.integration.test.ts';

/** Each promise of SECURITY.md, by its beginning, and the tests that hold it: file, then the title as it stands there. */
const TESTS: Readonly<Record<string, readonly (readonly [file: string, title: string])[]>> = {
  'Nothing that your app publishes': [
    [
      'packages/tidings/test/publish.test.ts',
      'every published event comes out the same, live and from the log, and injects nothing',
    ],
    [
      `${src}/protocol/encode.test.ts`,
      'is decoded to the same data with its line ends as LF, and to nothing else',
    ],
  ],
  'A private event reaches only': [
    [
      `${src}/http/authorization.integration.test.ts`,
      'reaches only connections that were granted one of its topics, live and when they resume',
    ],
    [
      'packages/tidings/test/publish.test.ts',
      'does not leak to connections with the same topics but other grants',
    ],
  ],
  "A gap doesn't reveal private events": [
    [integration, 'A gap depends only on events that the client may read: private ones leave no trace'],
    [integration, 'A slow reader is told of lost public events alone'],
  ],
  'A client that was granted some topics gets gaps': [
    [
      integration,
      'A grant of some topics reveals no gap on the others, unless what was lost may have been on both',
    ],
    [
      integration,
      'A subscriber to a topic without a grant gets a gap if it may have read the lost event by another one',
    ],
  ],
  "When a connection's authorization expires": [
    [`${src}/http/authorization.integration.test.ts`, 'that expires ends the stream, saying so'],
  ],
  'If `authorize` returns nothing': [
    ['packages/tidings/test/careless.test.ts', '%o lets nobody in'],
    ['packages/tidings/test/careless.test.ts', '%o is refused as the app’s fault'],
  ],
  'Only the handler that opened a connection': [
    [
      `${src}/http/change-requests.integration.test.ts`,
      'have to go to the handler that opened it: no other one checked its topics and its expiry',
    ],
    [
      `${src}/http/change.integration.test.ts`,
      'refuses a wrong secret, dropping all topics, and invalid topics',
    ],
    [`${src}/http/change.integration.test.ts`, 'calls `authorize` anew'],
  ],
  'A change without a subject': [
    [
      `${src}/http/cross-site.integration.test.ts`,
      'with the credentials of somebody else gains none of their topics',
    ],
    [
      `${src}/http/cross-site.integration.test.ts`,
      'gains no private events, even if it may read everything else',
    ],
    [`${src}/http/cross-site.integration.test.ts`, 'gains no later expiry'],
    [
      `${src}/http/cross-site.integration.test.ts`,
      'gains topics that it was granted from the beginning, and those that anybody may read',
    ],
  ],
  'A page of another origin': [
    [`${src}/http/cross-site.integration.test.ts`, 'from another origin is refused: %o'],
    [`${src}/http/cross-site.integration.test.ts`, 'from an origin that `cors` names is taken: %o'],
    [`${src}/http/cross-site.integration.test.ts`, 'from an origin that middleware in front allows is taken'],
  ],
  '`hub.disconnect` also applies': [
    [
      `${src}/http/cross-site.integration.test.ts`,
      'also ends visits that are being authorized, but only those it picks: %s',
    ],
  ],
  'A pattern over all rooms': [
    [`${src}/http/cross-site.integration.test.ts`, 'is not sent to subscribers that ask by a pattern: %s'],
    [
      `${src}/http/cross-site.integration.test.ts`,
      'is sent to subscribers that name the room or were granted the pattern',
    ],
  ],
  'Anything a client sends': [
    [
      'packages/tidings/test/fuzz.integration.test.ts',
      '%s answers random requests as documented, without crash, unhandled rejection, long turn or leak',
    ],
    [`${src}/http/request.integration.test.ts`, 'include no pattern that is slow for any topic: %s'],
    [`${src}/http/change.integration.test.ts`, 'refuses %s'],
    [
      `${src}/http/body.test.ts`,
      'that are long are refused while too many of them are on their way; short ones are not',
    ],
    [
      `${src}/node/broken-peers.integration.test.ts`,
      'that sends garbage into a stream loses the stream, and nobody else does',
    ],
    [
      `${src}/node/leaks.integration.test.ts`,
      'A thousand connects and disconnects leave nothing behind on $name',
    ],
  ],
  'By default, one connection may ask for': [
    [`${src}/hub/options.test.ts`, 'have the defaults that their documentation names'],
    [`${src}/http/request.integration.test.ts`, 'have a bounded total length, patterns included'],
  ],
  'By default, a hub has 10,000 connections': [
    [`${src}/hub/options.test.ts`, 'have the defaults that their documentation names'],
    [`${src}/http/limits.integration.test.ts`, 'in all is answered 503, until another one has gone'],
    [
      `${src}/hub/registry.test.ts`,
      'counts an IPv6 address with all others of its network, and a mapped one as the IPv4 address it is',
    ],
    ['packages/tidings/test/expiry-and-lifetime.test.ts', 'is an hour by default, and can be unlimited'],
  ],
  'A socket carries one stream': [
    [
      `${src}/node/broken-peers.integration.test.ts`,
      'get a stream behind another answer once that is over, but only one',
    ],
    [
      `${src}/node/stream-limit.integration.test.ts`,
      'An HTTP/2 session carries as many streams as the limit allows, and other sessions are unaffected',
    ],
  ],
  'However much clients ask for again': [
    ['packages/tidings/test/replay.test.ts', 'ends a gap of retention and one of the bounds in one notice'],
    [
      'packages/tidings/test/replay.test.ts',
      'is searched for once for all connections that come with the same cursor',
    ],
  ],
  'A client that reads slowly': [
    [`${src}/node/slow-readers.integration.test.ts`, 'the response holds no more than about a page'],
    [
      `${src}/node/slow-readers.integration.test.ts`,
      'a hundred of them cost the hub no more than a flush each',
    ],
    [`${src}/node/slow-readers.integration.test.ts`, 'is dropped after the stall time, and no other peer is'],
    ['packages/tidings/test/change.test.ts', 'holds no more bytes after many unread changes than after one'],
  ],
  'Errors that your own functions throw': [
    [
      `${src}/node/stacks.integration.test.ts`,
      'an error of the app’s own function goes to the app: 500, and nothing left behind',
    ],
    [
      `${src}/http/authorization.integration.test.ts`,
      'that refuses is answered with its status and reason, to HEAD too',
    ],
  ],
  "It doesn't start where it would be open": [
    [`${server}/commands.integration.test.ts`, 'refuses to run %s'],
    [`${server}/config-check.integration.test.ts`, 'names %s, and nothing else'],
  ],
  'In development mode it listens': [
    [
      `${server}/commands.integration.test.ts`,
      'the commands that serve prints work, and a token made in the same folder does, too',
    ],
    [`${server}/commands.integration.test.ts`, 'refuses to run %s'],
  ],
  'A token counts only if': [
    [`${auth}/tokens.test.ts`, 'are told apart by `iss`, each with keys and subjects of its own'],
    [`${auth}/tokens.test.ts`, 'refuse a token %s'],
    [
      `${server}/mercure-settings.integration.test.ts`,
      'sign each with their own key: one can’t speak for the other',
    ],
  ],
  'Keys, and URLs of keys': [
    [`${server}/mercure.integration.test.ts`, 'that was signed by somebody else and names %s is invalid'],
    [`${auth}/attacks.test.ts`, 'by %s is refused, by secrets as by public keys'],
  ],
  'A subject, a token, an issuer': [
    [
      `${auth}/authenticator.test.ts`,
      'A token’s subject, a token’s id, an issuer and an API key of the same name are four credentials',
    ],
  ],
  'Two issuers with prefixes': [
    [
      `${auth}/tokens.test.ts`,
      'refuse a token whose name is one of another issuer’s, though its own prefix is shorter: %o',
    ],
  ],
  'A stream ends when its token expires': [
    [`${server}/auth.integration.test.ts`, 'that expires ends the stream, unless it is renewed'],
    [`${server}/mercure.integration.test.ts`, 'ends when its token does'],
  ],
  'A subject or a token that you revoke': [
    [
      `${server}/auth.integration.test.ts`,
      'A revoked token is refused to readers and publishers, at every server and after a restart; others are not',
    ],
  ],
  'Nobody publishes without a credential': [
    [`${server}/api.integration.test.ts`, 'without credentials'],
    [`${server}/api.integration.test.ts`, 'for a topic that isn’t granted'],
    [`${server}/mercure.integration.test.ts`, 'must allow every topic of an update, or nobody gets it'],
  ],
  "The server doesn't read the body of": [
    [
      `${server}/attacks.integration.test.ts`,
      'of a body that only strangers send are refused before they arrive',
    ],
  ],
  "A user's cookie publishes only": [
    [
      `${server}/auth.integration.test.ts`,
      'in a cookie counts for the pages that the settings name, each for its own end',
    ],
    [`${server}/mercure.integration.test.ts`, 'publishes for %s: %s'],
  ],
  'Only the server publishes about': [
    [`${server}/reserved-topics.integration.test.ts`, 'can be published on %s by nobody else'],
    [`${server}/mercure.integration.test.ts`, 'can’t be forged through the HTTP API either'],
  ],
  'Such events reach tokens': [
    [`${server}/reserved-topics.integration.test.ts`, 'a token of the HTTP API for %s that asks for %s'],
    [`${server}/reserved-topics.integration.test.ts`, 'a token of Mercure: %s, allowed %o'],
    [
      `${server}/reserved-topics.integration.test.ts`,
      'is refused to a token for everything that asks for it by name',
    ],
  ],
  'Tags, which tell Mercure clients': [
    [
      `${server}/reserved-topics.integration.test.ts`,
      'are taken from nobody, through the HTTP API and the admin API',
    ],
  ],
  'No line of its log has': [
    [`${server}/auth.integration.test.ts`, 'No log has a token, a key or a secret, even at debug level'],
    [`${server}/attacks.integration.test.ts`, 'no token and no data is in the log of the server'],
    [`${operation}/operation.integration.test.ts`, 'has a line for a refusal, without the query'],
  ],
  'That includes failing webhooks': [
    [
      `${operation}/webhooks/webhooks.integration.test.ts`,
      'are given up after as many attempts as the hook has, which the log says with no more of the URL than its origin',
    ],
  ],
  'The configuration that it prints': [
    [
      'packages/server/src/config/settings.test.ts',
      'that may hold secrets are refused without quoting them: %s=%s',
    ],
    ['packages/server/src/config/settings.test.ts', 'show the URL %s as %s'],
  ],
  'The internal port shows events': [
    [`${operation}/operation.integration.test.ts`, 'needs its token, whatever is asked for'],
    [`${operation}/operation.integration.test.ts`, 'is off without a token, and refuses one that is short'],
    [
      `${operation}/operation.integration.test.ts`,
      'and nothing else of the internal port is on the public one',
    ],
  ],
  "A peer's address is that": [
    [`${server}/attacks.integration.test.ts`, 'has the address of the socket, whatever X-Forwarded-For says'],
  ],
  'Strangers and publishers can cost only': [
    [
      `${server}/attacks.integration.test.ts`,
      'of a body without end are cut off at the limit, and take no memory',
    ],
    [
      `${server}/attacks.integration.test.ts`,
      'are given up at both ports: headers and bodies that come too slowly, and a peer that says nothing',
    ],
    [
      `${server}/attacks.integration.test.ts`,
      'a publisher that floods is held at its rate, and others are not',
    ],
    [`${server}/attacks.integration.test.ts`, 'all of this took little memory'],
    [
      'packages/server/src/api/body.test.ts',
      'JSON may have 20,000 values, in one event or in several, and more where batches are larger',
    ],
    [
      'packages/server/src/mercure/subscriptions/api.test.ts',
      'a list %s is made in several turns: whoever waits has one in between',
    ],
  ],
  'A URL Pattern is compared': [
    ['packages/server/src/mercure/url-pattern/url-pattern.test.ts', 'takes a bounded time with %s'],
  ],
  'A mistake in a reload': [
    [`${server}/reload.integration.test.ts`, 'a reload that is wrong changes nothing'],
    [
      `${server}/auth.integration.test.ts`,
      'A reload takes a new key at once; a broken file is reported, and the old key stays',
    ],
  ],
  'The container runs as a user': [
    [
      `${server}/image.integration.test.ts`,
      'runs as a user without rights, with a health check, and keeps events on a volume',
    ],
  ],
  'A way around one of these': [],
  'Each of these sentences': [
    ['scripts/security-doc.test.ts', 'SECURITY.md promises nothing without a test'],
  ],
  'Without `authorize`, everybody': [
    [
      `${src}/http/authorization.integration.test.ts`,
      'reaches only connections that were granted one of its topics, live and when they resume',
    ],
    [
      `${src}/http/cross-site.integration.test.ts`,
      'gains topics that it was granted from the beginning, and those that anybody may read',
    ],
  ],
  '`?topic=presence/room/7` shows': [
    [
      `${src}/http/cross-site.integration.test.ts`,
      'is sent to subscribers that name the room or were granted the pattern',
    ],
  ],
  '`authorize` can refuse that': [
    [integration, 'A client that may not read a topic learns of no gap on it, however it asks'],
    [`${src}/http/authorization.integration.test.ts`, 'that grants topics refuses %s'],
  ],
  'Cursors count all events': [
    [integration, 'Cursors count all events, also those that a client may not read'],
  ],
  'Inside a pattern, a user called': [
    [`${src}/protocol/escape-pattern.test.ts`, 'matches itself in a pattern, and nothing else'],
  ],
  'An `id` counts across all topics': [[integration, 'An id counts across all topics']],
  'The hub sends events': [[integration, 'Without TLS events and credentials are on the wire as they are']],
  'The limits per address count': [
    [`${src}/http/limits.integration.test.ts`, 'is counted by the address that the app determines'],
    [`${src}/node/express.integration.test.ts`, 'without `trust proxy` clients can’t choose their address'],
  ],
  'From loopback and private addresses': [
    [`${src}/hub/registry.test.ts`, 'lets private addresses exceed the limit by default, and warns once'],
  ],
  'It is off until you set `cors`': [
    [`${src}/http/cors.integration.test.ts`, 'gets no permission without the option'],
  ],
  'With credentials, the origins': [
    [
      `${src}/http/cors.integration.test.ts`,
      'Credentials for every origin are refused when the handler is made',
    ],
  ],
  'Data arrives as you published it': [[integration, 'Markup in data arrives as it was published']],
};

/** The sentences of the page from where it begins to promise something, without the words that head a list item. */
function sentencesOf(page: string): string[] {
  const promises = page.slice(page.indexOf('## What the library is responsible for'));
  return promises
    .replaceAll(/^#.*$/gm, '')
    .split(/\n(?=- |\n)/)
    .map((part) =>
      part
        .replace(/^\s*- (?:\*\*.*?\*\* ?)?/, '')
        .replaceAll(/\s+/g, ' ')
        .trim(),
    )
    .flatMap((part) => part.split(/(?<=[.!?]) (?=[A-Z`])/))
    .filter((sentence) => sentence !== '');
}

it('SECURITY.md promises nothing without a test', () => {
  const sentences = sentencesOf(read('SECURITY.md'));
  const beginnings = Object.keys(TESTS);
  const untested = sentences.filter((sentence) => !beginnings.some((start) => sentence.startsWith(start)));
  const gone = beginnings.filter((start) => !sentences.some((sentence) => sentence.startsWith(start)));
  expect({ untested, gone }).toEqual({ untested: [], gone: [] });
});

it.each(Object.entries(TESTS))('SECURITY.md: “%s …” has tests that exist', (_sentence, tests) => {
  expect(tests.filter(([file, title]) => !read(file).includes(`'${title}'`))).toEqual([]);
});
