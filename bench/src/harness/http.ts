import { Agent, request } from 'node:http';

/** Makes requests to a subject, over connections that stay open. */
export interface Caller {
  /**
   * A POST if there is a body.
   *
   * @returns the body of the answer; rejects for a status from 300 on.
   */
  readonly call: (path: string, body?: string, headers?: Readonly<Record<string, string>>) => Promise<string>;
  readonly close: () => void;
}

/** As many as a backend with several workers may have. */
const MAX_SOCKETS = 64;

export function createCaller(port: number): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: MAX_SOCKETS });
  return {
    close: () => agent.destroy(),
    call: (path, body, given = {}) =>
      new Promise((resolve, reject) => {
        const method = body === undefined ? 'GET' : 'POST';
        // With its length, a body needs no chunks.
        const length = body === undefined ? {} : { 'Content-Length': Buffer.byteLength(body) };
        const headers = { ...given, ...length };
        const sent = request({ host: '127.0.0.1', port, path, method, headers, agent }, (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
          response.on('error', reject);
          response.on('end', () => {
            if ((response.statusCode ?? 500) < 300) resolve(text);
            else
              reject(new Error(`The subject answered ${response.statusCode} to ${method} ${path}: ${text}`));
          });
        });
        sent.on('error', reject);
        sent.end(body);
      }),
  };
}
