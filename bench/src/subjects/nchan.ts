import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { launch, until } from '../harness/child.ts';
import { makeFolder, removeFolder } from '../harness/folders.ts';
import { freePort } from '../harness/free-port.ts';
import { createPublisher } from '../harness/publisher.ts';
import type { Server, Subject } from '../harness/subject.ts';
import { type Wire, makeCertificate, wireOf } from '../harness/wire.ts';

const folders = ['/usr/lib/nginx/modules', '/usr/share/nginx/modules', '/usr/lib64/nginx/modules'];
const module = folders.map((folder) => `${folder}/ngx_nchan_module.so`).find((path) => existsSync(path));
const installed = spawnSync('nginx', ['-v']).status === 0 && module !== undefined;

/** A module of nginx, in C: one worker, in memory. It is published to by POSTs, the cost of which counts as its own. */
export const nchan: Subject = {
  name: 'nchan',
  missing: installed
    ? undefined
    : 'nginx with nchan is not installed: apt-get install nginx-light libnginx-mod-nchan',
  async start(args = []) {
    const folder = makeFolder();
    try {
      return await startIn(folder, wireOf(args));
    } catch (error) {
      removeFolder(folder);
      throw error;
    }
  },
};

async function startIn(folder: string, wire: Wire): Promise<Server> {
  const port = await freePort();
  // Events are published, and connections counted, in plain HTTP.
  const eventsPort = wire === 'http' ? port : await freePort();
  mkdirSync(join(folder, 'logs'));
  writeFileSync(join(folder, 'nginx.conf'), configuration(port, listenSecurely(wire, eventsPort)));
  const { key, cert } = await makeCertificate();
  writeFileSync(join(folder, 'key.pem'), key);
  writeFileSync(join(folder, 'cert.pem'), cert);
  const nginx = launch({
    name: 'nchan',
    command: ['nginx', '-p', folder, '-c', 'nginx.conf', '-e', 'stderr'],
    core: 'subject',
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const ask = (path: string, body?: string): Promise<string> => call(agent, port, path, body);
  await until('nginx listens', async () => {
    nginx.assertRunning();
    return await ask('/status').then(Boolean, () => false);
  });
  const publish = createPublisher((data) => ask('/publish', data));
  return {
    pid: nginx.pid,
    port: eventsPort,
    path: '/events?topic=bench',
    connections: async () => Number(/^subscribers: (\d+)$/m.exec(await ask('/status'))?.[1]),
    async publish(pace) {
      nginx.assertRunning();
      await publish(pace);
    },
    ask: () => Promise.reject(new Error('nchan takes no commands')),
    async stop() {
      agent.destroy();
      await nginx.stop();
      removeFolder(folder);
    },
  };
}

/** The lines that make a server listen with TLS as well. */
function listenSecurely(wire: Wire, port: number): string {
  if (wire === 'http') return '';
  return `
        listen 127.0.0.1:${port} ssl${wire === 'http2' ? ' http2' : ''} backlog=1024;
        ssl_certificate cert.pem;
        ssl_certificate_key key.pem;
        http2_max_concurrent_streams 1000;`;
}

/** `more`: further directives of the server. */
function configuration(port: number, more: string): string {
  // As root, nginx runs its worker as the user `nobody`, which can't use the folder.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  return `
    load_module ${module};
    ${user}
    daemon off;
    worker_processes 1;
    worker_rlimit_nofile 20000;
    pid nginx.pid;
    error_log stderr error;
    events { worker_connections 15000; }
    http {
      access_log off;
      tcp_nodelay on;
      keepalive_requests 1000000000;
      client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
      scgi_temp_path scgi; uwsgi_temp_path uwsgi;
      server {
        listen 127.0.0.1:${port} backlog=1024;${more}
        location = /events { nchan_subscriber eventsource; nchan_channel_id bench; }
        location = /publish {
          nchan_publisher; nchan_channel_id bench;
          nchan_message_buffer_length 1000; nchan_message_timeout 60s;
          client_max_body_size 1m; client_body_buffer_size 128k;
        }
        location = /status { nchan_stub_status; }
      }
    }
  `;
}

/** A POST if there is a body. */
function call(agent: Agent, port: number, path: string, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const sent = request({ host: '127.0.0.1', port, path, method, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('error', reject);
      response.on('end', () => {
        if ((response.statusCode ?? 500) < 300) resolve(text);
        else reject(new Error(`nginx answered ${response.statusCode} to ${method} ${path}.`));
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
