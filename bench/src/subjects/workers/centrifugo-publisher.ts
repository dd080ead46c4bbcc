/** Publishes to Centrifugo by its HTTP API, over connections that it keeps. */
import { Agent, request } from 'node:http';
import { answerCommands } from '../../harness/commands.ts';
import { type PublishLoad, TOPIC, publishLoad, publishStamped } from './load-publisher.ts';

const agent = new Agent({ keepAlive: true, maxSockets: 100, noDelay: true });
let port: number;

/** A group is one request, whose commands it may run side by side. */
async function publish(events: readonly string[]): Promise<void> {
  const commands = events.map((data) => ({ publish: { channel: TOPIC, data } }));
  const answer = JSON.parse(await post('/api/batch', JSON.stringify({ commands, parallel: true }))) as {
    readonly replies: readonly { readonly error?: { readonly message: string } }[];
  };
  for (const { error } of answer.replies) if (error !== undefined) throw new Error(error.message);
}

function post(path: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request({ host: '127.0.0.1', port, path, method: 'POST', agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`Centrifugo answered ${response.statusCode}: ${text}`));
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

answerCommands({
  listen: (given: { readonly port: number }) => void (port = given.port),
  publish: (load: PublishLoad) => publishLoad(load, publish),
  publishOne: () => publishStamped((data) => publish([data])),
});
