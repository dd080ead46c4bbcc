import { describe, expect, it } from 'vitest';
import { changeUrl, parameterOf, resolveUrl, streamUrl, takeTopics } from './url.ts';

/** https://fetch.spec.whatwg.org/#bad-port */
const BAD_PORTS = [
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
  109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
  526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
  3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

function refusal(url: string): string {
  try {
    resolveUrl(url, undefined);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

const cursor: [string, string] = ['last_event_id', 'a.7'];

describe('the URL of a stream', () => {
  it('names topics, patterns and, for a first connect, the cursor', () => {
    const parameters = [parameterOf('a&b=c ü'), parameterOf({ pattern: 'user/:id' }), cursor];
    const url = new URL(streamUrl('http://localhost/events?x=1', parameters));
    expect([...url.searchParams]).toEqual([
      ['x', '1'],
      ['topic', 'a&b=c ü'],
      ['pattern', 'user/:id'],
      ['last_event_id', 'a.7'],
    ]);
  });

  it('gives back its topics', () => {
    const url = new URL(streamUrl('http://localhost/events?x=1', ['a', { pattern: 'b/*' }].map(parameterOf)));
    expect(takeTopics(url)).toEqual({
      url: 'http://localhost/events?x=1',
      topics: ['a', { pattern: 'b/*' }],
    });
  });

  it.each(['?q=a%20b&c=%7e&=&d', '?sig=Ab%2F+c%3D%3d', '?', ''])(
    'keeps the rest byte for byte: %s',
    (search) => {
      const url = `http://localhost/events${search}`;
      expect(streamUrl(takeTopics(new URL(url)).url, [])).toBe(new URL(url).href.replace(/[?]$/, '?'));
      const [start] = streamUrl(url, [parameterOf('t'), cursor], 'last_event_id').split(/[?&]topic=t/);
      expect(start).toBe(url);
      expect(takeTopics(new URL(`${url}${search === '' ? '?' : '&'}topic=t#here`)).url).toBe(
        search === '?' ? 'http://localhost/events?' : url,
      );
    },
  );

  it('has one cursor, the newest', () => {
    const url = streamUrl('http://localhost/events?last_event_id=a.1&x=1', [cursor], 'last_event_id');
    expect(url).toBe('http://localhost/events?x=1&last_event_id=a.7');
  });
});

it('the URL of a change has no topics and no cursor', () => {
  expect(changeUrl('http://localhost/events?topic=a&x=%20&last_event_id=a.1')).toBe(
    'http://localhost/events?x=%20',
  );
});

describe('a URL that nothing can be fetched from', () => {
  it.each(['ws://localhost/', 'wss://localhost/', 'file:///tmp', 'javascript:0', 'data:,x', 'blob:x'])(
    'has another scheme: %s',
    (url) => expect(refusal(url)).toMatch(/^Expected a URL with http: or https:/),
  );

  it.each(['http://ann@localhost/', 'http://ann:secret@localhost/', 'http://:secret@localhost/'])(
    'has credentials, which are not repeated: %s',
    (url) => expect(refusal(url)).toMatch(/Authorization/),
  );

  it('has a port that browsers block', () => {
    const blocked = Array.from({ length: 65_536 }, (_, port) => port).filter(
      (port) => /port/.exec(refusal(`http://localhost:${port}/`)) !== null,
    );
    expect(blocked).toEqual(BAD_PORTS);
  });

  it('is relative without a base', () => {
    expect(refusal('/events')).toMatch(/absolute/);
    expect(resolveUrl('/events', 'http://localhost/page')).toMatchObject({ href: 'http://localhost/events' });
  });
});
