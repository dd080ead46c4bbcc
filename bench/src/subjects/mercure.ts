import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { signToken } from '../harness/token.ts';
import { programSubject } from './program.ts';

const SECRET = 'a-secret-of-the-benchmark-that-is-long-enough';
const HUB = '/.well-known/mercure';

/**
 * The Mercure hub, which is a Caddy with a module. Its `local` transport keeps no history: Bolt, its default, would write
 * each update to the disk.
 */
export const mercure = programSubject({
  name: 'Mercure',
  missing:
    spawnSync('mercure', ['version']).status === 0
      ? undefined
      : 'there is no mercure on the PATH: https://mercure.rocks/docs/hub/install',
  prepare({ folder, port, internalPort }) {
    const caddyfile = join(folder, 'Caddyfile');
    const origin = `http://127.0.0.1:${port}`;
    const isNew = useIssuers(caddyfile, port, internalPort);
    const token = isNew ? newToken(origin) : signToken({ mercure: { publish: ['*'] } }, SECRET);
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/x-www-form-urlencoded',
    };
    return {
      command: ['mercure', 'run', '--config', caddyfile],
      path: `${HUB}?${isNew ? 'match' : 'topic'}=bench`,
      send: (call, data) => call(HUB, new URLSearchParams({ topic: 'bench', data }).toString(), headers),
      async connections(_, internal) {
        const text = await internal('/metrics');
        return Number(/^mercure_subscribers_connected (\d+)/m.exec(text)?.[1] ?? 0);
      },
    };
  },
});

/** @returns whether this is a version from 1.0 on, whose issuers have blocks of their own. */
function useIssuers(caddyfile: string, port: number, internalPort: number): boolean {
  const issuer = `issuer https://bench { publisher { jwt ${SECRET} HS256 } }`;
  writeFileSync(caddyfile, configuration(port, internalPort, block(issuer)));
  const { status } = spawnSync('mercure', ['adapt', '--config', caddyfile]);
  if (status === 0) return true;
  writeFileSync(caddyfile, configuration(port, internalPort, `publisher_jwt ${SECRET} HS256`));
  return false;
}

/** A Caddyfile has each brace at the end of a line. */
function block(text: string): string {
  return text.replaceAll('{ ', '{\n').replaceAll(' }', '\n}');
}

function configuration(port: number, internalPort: number, keys: string): string {
  return `
{
  auto_https off
  persist_config off
  admin 127.0.0.1:${internalPort}
  metrics
}
http://:${port} {
  bind 127.0.0.1
  mercure {
    transport local
    anonymous
    write_timeout 0s
    ${keys}
  }
}
`;
}

/** As draft 08 of the protocol has it. */
function newToken(origin: string): string {
  const now = Math.floor(Date.now() / 1000);
  return signToken(
    {
      iss: 'https://bench',
      aud: `${origin}${HUB}`,
      sub: 'bench',
      client_id: 'bench',
      jti: 'bench',
      iat: now,
      exp: now + 86_400,
      authorization_details: [
        {
          type: 'https://mercure.rocks/authorization-detail',
          actions: ['publish'],
          topics: [{ match: 'bench' }],
        },
      ],
    },
    SECRET,
    { typ: 'at+jwt' },
  );
}
