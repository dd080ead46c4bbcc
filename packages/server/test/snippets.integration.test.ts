import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask } from '../../tidings/test/http/client.ts';
import { type Started, startServer, tokenFor } from './server-process.ts';

/** One program for each language, which docs/http-api.md shows. */
const LANGUAGES = [
  { name: 'shell', program: 'curl', command: ['sh', 'publish.sh'], data: '"ten € & 20%"' },
  { name: 'Python', program: 'python3', command: ['python3', 'publish.py'], data: '{"text":"ten € & 20%"}' },
  { name: 'Go', program: 'go', command: ['go', 'run', 'publish.go'], data: '{"text":"ten € & 20%"}' },
  { name: 'Java', program: 'java', command: ['java', 'Publish.java'], data: '"ten € & 20%"' },
  { name: 'Ruby', program: 'ruby', command: ['ruby', 'publish.rb'], data: '{"text":"ten € & 20%"}' },
  { name: 'PHP', program: 'php', command: ['php', 'publish.php'], data: '{"text":"ten € & 20%"}' },
] as const;

function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const [installed, missing] = [true, false].map((wanted) =>
  LANGUAGES.filter(({ program }) => isInstalled(program) === wanted),
) as [(typeof LANGUAGES)[number][], (typeof LANGUAGES)[number][]];
for (const { name, program } of missing)
  console.log(`Not run: the snippet in ${name}, since there is no ${program}.`);

let server: Started;
let token: string;

beforeAll(async () => {
  server = await startServer();
  token = await tokenFor('snippets', { publish: ['greetings'], subscribe: ['greetings'] });
});
afterAll(() => server.stop());

function execute([program = '', ...args]: readonly string[], credentials: string) {
  return new Promise<{ failed: boolean; out: string; err: string }>((resolve) => {
    execFile(
      program,
      [...args, 'greetings', 'ten € & 20%'],
      {
        cwd: fileURLToPath(new URL('../snippets', import.meta.url)),
        env: { ...process.env, TIDINGS_URL: server.publicUrl, TIDINGS_TOKEN: credentials, LC_ALL: 'C.UTF-8' },
        timeout: 150_000,
      },
      (error, out, err) => resolve({ failed: error !== null, out, err }),
    );
  });
}

test.each(installed)(
  'the snippet in $name publishes, and fails if it is refused',
  async ({ command, data }) => {
    const headers = { authorization: `Bearer ${token}` };
    const { frames } = await ask(`${server.publicUrl}/v1/events?topic=greetings`, { headers });
    expect((await frames.nextEvent()).type).toBe('tidings:welcome');
    const { failed, out, err } = await execute(command, token);
    expect({ failed, err }).toMatchObject({ failed: false });
    const event = await frames.nextEvent();
    expect(event.data).toBe(data);
    expect(out).toContain(event.id);
    const refused = await execute(command, 'wrong');
    expect(refused.failed).toBe(true);
    expect(refused.out + refused.err).toContain('auth/invalid-token');
  },
);
