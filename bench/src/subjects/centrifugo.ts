import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { programSubject } from './program.ts';

const KEY = 'a-key-of-the-benchmark';
const connect = encodeURIComponent(JSON.stringify({ subs: { bench: {} } }));

/**
 * Centrifugo 6: its unidirectional SSE, in memory, and publishing with an API key. Channels are without history, presence
 * and recovery, as they are by default: with history it has more to do.
 */
export const centrifugo = programSubject({
  name: 'Centrifugo',
  missing:
    spawnSync('centrifugo', ['version']).status === 0
      ? undefined
      : 'there is no centrifugo on the PATH: https://centrifugal.dev/docs/getting-started/installation',
  prepare({ folder, port }) {
    const configuration = join(folder, 'config.json');
    writeFileSync(
      configuration,
      JSON.stringify({
        http_server: { address: '127.0.0.1', port },
        log: { level: 'error' },
        client: { allow_anonymous_connect_without_token: true },
        channel: {
          without_namespace: { allow_subscribe_for_client: true, allow_subscribe_for_anonymous: true },
        },
        http_api: { key: KEY },
        uni_sse: { enabled: true },
        usage_stats: { disabled: true },
      }),
    );
    const headers = { 'x-api-key': KEY, 'content-type': 'application/json' };
    const publication = (data: string) => ({ channel: 'bench', data });
    return {
      command: ['centrifugo', '--config', configuration],
      path: `/connection/uni_sse?cf_connect=${connect}`,
      send: async (call, data) =>
        assertDone(await call('/api/publish', JSON.stringify(publication(data)), headers)),
      sendAll: async (call, all) => {
        const commands = all.map((data) => ({ publish: publication(data) }));
        assertDone(await call('/api/batch', JSON.stringify({ commands }), headers));
      },
      async connections(call) {
        const text = await call('/api/channels', '{}', headers);
        const { channels } = (JSON.parse(text) as { result: { channels: Channels } }).result;
        return channels['bench']?.num_clients ?? 0;
      },
    };
  },
});

type Channels = Readonly<Record<string, { readonly num_clients: number }>>;

/** It answers failures with the status 200, too. */
function assertDone(text: string): void {
  if (text.includes('"error"')) throw new Error(`Centrifugo did not publish: ${text}`);
}
