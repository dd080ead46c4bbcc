import { once } from 'node:events';
import { type IncomingMessage, get } from 'node:http';

/** A connection whose patterns are changed while it is open. */
export interface Changer {
  change(change: { readonly add?: readonly string[]; readonly drop?: readonly string[] }): Promise<void>;
  close(): void;
}

export async function openChanger(port: number): Promise<Changer> {
  const url = `http://127.0.0.1:${port}/events?topic=changes`;
  const request = get(url, { agent: false, headers: { accept: 'text/event-stream' } });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`The connection was answered ${response.statusCode}.`);
  const who = await readWelcome(response);
  // A reader that stops reading would fall behind.
  response.resume();
  const toMatchers = (patterns: readonly string[] = []) => patterns.map((pattern) => ({ pattern }));
  return {
    async change({ add, drop }) {
      const body = JSON.stringify({ ...who, add: toMatchers(add), drop: toMatchers(drop) });
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(url, { method: 'POST', headers, body });
      if (!answer.ok) throw new Error(`A change was answered ${answer.status}: ${await answer.text()}`);
      await answer.arrayBuffer();
    },
    close: () => void request.destroy(),
  };
}

/** The credentials for a change, from the stream's first event. */
async function readWelcome(response: IncomingMessage): Promise<{ connection: string; secret: string }> {
  let text = '';
  for (;;) {
    const welcome = /^data: (.*)$/m.exec(text)?.[1];
    if (welcome !== undefined && text.includes('\n\n')) {
      const { connection, secret } = JSON.parse(welcome) as { connection: string; secret: string };
      return { connection, secret };
    }
    const [bytes] = (await once(response, 'data')) as [Buffer];
    text += bytes.toString();
  }
}
