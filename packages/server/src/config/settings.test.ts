import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PARTS } from '../server/parts.ts';
import { SETTINGS } from '../server/table.ts';
import { parseConfig } from './file.ts';
import { flagsOf } from './flags.ts';
import { duration, integer, list, number, secret, size, text, url } from './kinds.ts';
import { readSettings } from './read-settings.ts';
import { type Setting, flagOf, variableOf } from './setting.ts';

const rate: Setting<number> = { name: 'publish.rate', kind: integer(1), default: 100, help: 'a rate' };
const wait: Setting<number> = {
  name: 'stream.wait',
  kind: duration(0, Infinity),
  default: 1000,
  help: 'a wait',
};
const key: Setting<string | undefined> = {
  name: 'auth.key',
  kind: secret,
  default: undefined,
  help: 'a key',
};
const origins: Setting<readonly string[]> = {
  name: 'origins',
  kind: list(text),
  default: [],
  help: 'origins',
};
const TABLE = [rate, wait, key, origins];

interface Given {
  readonly file?: Readonly<Record<string, unknown>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly flags?: Readonly<Record<string, string | boolean | readonly string[]>>;
  readonly secrets?: Readonly<Record<string, string>>;
}

function read({ file, environment = {}, flags = {}, secrets = {} }: Given) {
  return readSettings(TABLE, {
    file: file && { path: '/etc/tidings/tidings.yaml', values: file },
    environment,
    flags,
    readSecret(path) {
      const content = secrets[path];
      if (content === undefined) throw new Error(`no ${path}`);
      return content;
    },
  });
}

describe('settings', () => {
  it('come from flags before the environment before the file before the default', () => {
    const file = { 'publish.rate': 1 };
    const environment = { TIDINGS_PUBLISH_RATE: '2' };
    const flags = { 'publish-rate': '3' };
    const rateOf = (given: Given) => {
      const { settings, problems } = read(given);
      expect(problems).toEqual([]);
      return [settings.get(rate), settings.sourceOf(rate)];
    };
    expect(rateOf({ file, environment, flags })).toEqual([3, 'flag']);
    expect(rateOf({ file, environment })).toEqual([2, 'environment']);
    expect(rateOf({ file })).toEqual([1, 'file']);
    expect(rateOf({})).toEqual([100, 'default']);
    expect(rateOf({ file, environment: { TIDINGS_PUBLISH_RATE: '' } })).toEqual([1, 'file']);
  });

  it('with unknown names are refused, and the likely name is in the message', () => {
    const { problems } = read({
      file: { 'publish.rat': 1 },
      environment: { TIDINGS_PUBLISHRATE: '1', TIDINGS_TOKEN: 'x', TIDINGS_PORT_80_TCP_ADDR: '10.0.0.1' },
    });
    expect(problems.map(({ code }) => code)).toEqual(['config/unknown', 'config/unknown']);
    expect(problems[0]?.message).toContain('`TIDINGS_PUBLISH_RATE`');
    expect(problems[1]?.message).toContain('`publish.rate`');
  });

  it('of the wrong type are refused, all of them at once', () => {
    const { problems } = read({
      file: { 'publish.rate': '5', origins: 'https://a.example' },
      environment: { TIDINGS_STREAM_WAIT: '30' },
    });
    expect(problems.map(({ code, details }) => [code, details['setting']])).toEqual([
      ['config/invalid', 'publish.rate'],
      ['config/invalid', 'stream.wait'],
      ['config/invalid', 'origins'],
    ]);
    expect(problems[1]?.message).toContain('30s');
  });

  it('that are secret come from files of their own, without the final line feed', () => {
    const secrets = { '/run/secrets/key': 's3cret\n', '/etc/tidings/key': 'other' };
    const keyOf = (given: Given) => read({ secrets, ...given }).settings.get(key);
    expect(keyOf({ environment: { TIDINGS_AUTH_KEY_FILE: '/run/secrets/key' } })).toBe('s3cret');
    expect(keyOf({ flags: { 'auth-key-file': '/run/secrets/key' } })).toBe('s3cret');
    expect(keyOf({ file: { 'auth.key-file': 'key' } })).toBe('other');
    expect(keyOf({ environment: { TIDINGS_AUTH_KEY: 'direct' } })).toBe('direct');
  });

  it('that are secret never show up in a problem', () => {
    const { problems } = read({
      file: { 'auth.key': 123_456_789 },
      environment: { TIDINGS_AUTH_KEY_FILE: '/none' },
    });
    expect(problems.map(({ code }) => code)).toEqual(['config/unreadable']);
    expect(JSON.stringify(problems.map(({ message, details }) => [message, details]))).not.toContain(
      '123456789',
    );
    const [wrong] = read({ file: { 'auth.key': 123_456_789 } }).problems;
    expect(wrong?.message).not.toContain('123456789');
  });

  it.each([
    ['log.url', 'reddis://:hush@db:6379'],
    ['log.url', 'redis://:hush#1@db:6379'],
    ['log.url', 'http://ann:hush@db/'],
    ['auth.jwt.jwks-url', 'ftp://ann:hush@id.example/'],
    ['webhooks', '[{"name": "app", "secrets": ["hush'],
    ['webhooks', JSON.stringify([{ name: 'app', secrets: 'hush' }])],
    ['webhooks', JSON.stringify([{ name: 'app', secrets: ['hush'] }])],
    ['webhooks', JSON.stringify([{ name: 'app', url: 'https://ann:hush@x.example/' }])],
    ['auth.issuers', '[{"secret": "hush'],
    ['auth.api-keys', '[{"name": "hush'],
  ])('that may hold secrets are refused without quoting them: %s=%s', (name, value) => {
    const environment = { [variableOf({ name })]: value };
    const [problem] = readSettings(SETTINGS, { environment, flags: {}, readSecret: () => '' }).problems;
    expect(problem?.code).toBe('config/invalid');
    expect(`${problem?.message} ${JSON.stringify(problem?.details)}`).not.toContain('hush');
  });

  it('that are secret are refused as flags: others on the machine see a command line', () => {
    expect(Object.keys(flagsOf(TABLE))).toEqual([
      'config',
      'publish-rate',
      'stream-wait',
      'auth-key-file',
      'origins',
    ]);
  });

  it('can be given by a file or directly, but not both', () => {
    const { problems } = read({ environment: { TIDINGS_AUTH_KEY: 'a', TIDINGS_AUTH_KEY_FILE: '/b' } });
    expect(problems.map(({ code }) => code)).toEqual(['config/invalid']);
  });

  it('that are lists come from repeated flags and from text with commas', () => {
    expect(read({ flags: { origins: ['a', 'b'] } }).settings.get(origins)).toEqual(['a', 'b']);
    expect(read({ environment: { TIDINGS_ORIGINS: 'a, b' } }).settings.get(origins)).toEqual(['a', 'b']);
    expect(read({ file: { origins: ['a', 'b'] } }).settings.get(origins)).toEqual(['a', 'b']);
  });
});

describe('a configuration file', () => {
  const parse = (content: string) => parseConfig(content, 'tidings.yaml', (name) => name === 'topics');

  it('is read as YAML and as JSON, nested or with dots', () => {
    const expected = { 'publish.rate': 5, topics: [{ topic: 'a' }] };
    expect({ ...parse('publish:\n  rate: 5\ntopics:\n  - topic: a\n') }).toEqual(expected);
    expect({ ...parse('{"publish": {"rate": 5}, "topics": [{"topic": "a"}]}') }).toEqual(expected);
    expect({ ...parse('publish.rate: 5\ntopics: [{topic: a}]') }).toEqual(expected);
    expect({ ...parse('') }).toEqual({});
  });

  it.each([
    ['a list', '- publish'],
    ['a broken mapping', 'publish: {rate: 5'],
    ['the same key twice', 'a: 1\na: 2'],
    ['the same setting nested and with dots', 'publish: {rate: 5}\npublish.rate: 6'],
    [
      'aliases that explode',
      'a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c]',
    ],
  ])('is refused if it is %s', (_name, content) => {
    expect(() => parse(content)).toThrow(expect.objectContaining({ code: 'config/unreadable' }));
  });

  it('can’t reach the prototype of anything', () => {
    const values = parse('__proto__: {rate: 5}\nconstructor: {prototype: {x: 1}}');
    expect(Object.keys(values)).toEqual(['__proto__.rate', 'constructor.prototype.x']);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});

describe('kinds of settings', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    ['0', 0],
    ['never', Infinity],
  ])('a duration %s is %d ms', (value, expected) => {
    expect(duration(0, Infinity).fromText(value)).toBe(expected);
  });

  it.each(['30', '-1s', 's', '1 s', '1y', '', 'constructor', '1toString', '9999d'])(
    'a duration is never %j',
    (value) => {
      expect(duration(0).fromText(value)).toBeUndefined();
    },
  );

  it('are written as they are read', () => {
    const kinds = [duration(0, Infinity), size(0, Infinity), integer(0)];
    fc.assert(
      fc.property(fc.constantFrom(...kinds), fc.nat(1e9), (kind, value) => {
        const written = kind.toText(value);
        expect(kind.fromText(written)).toBe(value);
      }),
    );
  });

  it.each([
    ['redis://user:pass@host:6379/', 'redis://user:***@host:6379/'],
    ['postgres://host/db?user=ann&password=hush', 'postgres://host/db?user=ann&password=***'],
    ['https://token@host/keys', 'https://***@host/keys'],
    ['https://host/keys?api-key=hush&v=2', 'https://host/keys?api-key=***&v=2'],
    ['postgres://ann@host/db?sslmode=require', 'postgres://ann@host/db?sslmode=require'],
  ])('show the URL %s as %s', (given, shown) => {
    expect(url('redis:').toText(given)).toBe(shown);
  });

  it.each(['0.5', '1', '0'])('a share is a number such as %s', (value) => {
    expect(number(0, 1).fromText(value)).toBe(Number(value));
  });
});

describe('the table of settings', () => {
  it('has those of every part of the server', () => {
    const missing = PARTS.flatMap(({ settings }) => settings).filter(
      (setting) => !SETTINGS.includes(setting),
    );
    expect(missing).toEqual([]);
  });

  it('has each name, flag and variable once, and none hides another', () => {
    const names = SETTINGS.map(({ name }) => name);
    for (const all of [names, SETTINGS.map(flagOf), SETTINGS.map(variableOf)])
      expect(new Set(all).size).toBe(all.length);
    for (const name of names) {
      expect(name).toMatch(/^[a-z][a-z0-9]*(?:[.-][a-z][a-z0-9]*)*$/);
      expect(names.filter((other) => other.startsWith(`${name}.`))).toEqual([]);
    }
  });

  it('has a default that each kind can write and read back', () => {
    for (const setting of SETTINGS) {
      if (setting.default === undefined || setting.kind.isSecret === true) continue;
      const written = setting.kind.toText(setting.default as never);
      if (setting.default === Infinity && setting.defaultHelp !== undefined) continue;
      expect([setting.name, setting.kind.fromText(written)]).toEqual([setting.name, setting.default]);
    }
  });

  it('has a line of help for each, without a full stop', () => {
    for (const { help } of SETTINGS) expect(help).toMatch(/^[^\n]{8,}[^.\n]$/);
  });
});
