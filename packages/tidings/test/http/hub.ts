import type { IncomingMessage } from 'node:http';
import { expect, onTestFinished } from 'vitest';
import { type Hub, type HubOptions, createHub } from '../../src/index.ts';
import { type NodeHandlerOptions, sse } from '../../src/node/index.ts';
import type { Reply } from './client.ts';
import { type Running, serve } from './server.ts';

/** A hub that is closed once the test has finished. */
export function startHub(options: HubOptions = {}): Hub {
  const hub = createHub(options);
  onTestFinished(() => hub.close({ within: 0 }));
  return hub;
}

/** A hub behind plain `node:http`, at every path. */
export async function startNode(
  options: NodeHandlerOptions<IncomingMessage> = {},
  hubOptions: HubOptions = {},
): Promise<Running & { readonly hub: Hub }> {
  const hub = startHub(hubOptions);
  const handle = sse(hub, options);
  return { hub, ...(await serve((req, res) => handle(req, res))) };
}

/** @returns the problem document. */
export async function expectProblem(
  reply: Reply,
  status: number,
  code: string,
): Promise<Record<string, unknown>> {
  expect(reply.status).toBe(status);
  expect(reply.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  const problem = await reply.json();
  expect(problem).toMatchObject({ type: 'about:blank', status, code });
  return problem;
}
