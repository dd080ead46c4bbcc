import { existsSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { signToken } from '../harness/token.ts';
import { programSubject } from './program.ts';

const SECRET = 'a-secret-of-the-benchmark-that-is-long-enough';
const ADMIN_TOKEN = 'an-admin-token-of-the-benchmark';

const program = join(
  dirname(createRequire(import.meta.url).resolve('@tidings/server/package.json')),
  'dist/main.js',
);

/** `tidings serve` with a log in memory and without an access log, as the others are; publishers have a JWT. */
export const tidingsServe = programSubject({
  name: 'tidings serve',
  missing: existsSync(program) ? undefined : 'it is not built: npm run build',
  prepare({ folder, port, internalPort }) {
    const configuration = join(folder, 'tidings.json');
    writeFileSync(
      configuration,
      JSON.stringify({
        listen: { port },
        internal: { port: internalPort, token: ADMIN_TOKEN },
        log: { url: 'memory:' },
        logging: { access: 'off', level: 'warn' },
        auth: { jwt: { secret: SECRET }, anonymous: { subscribe: ['*'] } },
        limits: { connections: 20_000, 'connections-per-address': 20_000 },
      }),
    );
    const claims = {
      sub: 'bench',
      tidings: { publish: ['bench'] },
      exp: Math.floor(Date.now() / 1000) + 86_400,
    };
    const headers = {
      authorization: `Bearer ${signToken(claims, SECRET)}`,
      'content-type': 'application/json',
    };
    return {
      command: [process.execPath, program, 'serve', '--config', configuration],
      path: '/v1/events?topic=bench',
      send: (call, data) => call('/v1/publish', JSON.stringify({ topics: 'bench', data }), headers),
      sendAll: (call, all) =>
        call('/v1/publish', JSON.stringify(all.map((data) => ({ topics: 'bench', data }))), headers),
      async connections(_, internal) {
        const text = await internal('/admin/v1/stats', undefined, { authorization: `Bearer ${ADMIN_TOKEN}` });
        return (JSON.parse(text) as { stats: { live: number } }).stats.live;
      },
    };
  },
});
