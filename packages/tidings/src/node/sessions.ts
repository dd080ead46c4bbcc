import type { Http2Session } from 'node:http2';
import type { Gateway } from '../hub/gateway.ts';
import type { NodeRequest } from './node-stream.ts';

/** The open sessions over which each hub was asked for something. */
const sessionsOf = new WeakMap<Gateway, Set<Http2Session>>();

/**
 * Notes an HTTP/2 session, to let it go once the hub is closed: it stays open without streams, and `server.close()` waits
 * for it. The app's answers under way aren't cut off.
 */
export function noteSession(gateway: Gateway, req: NodeRequest): void {
  const session = 'stream' in req ? req.stream.session : undefined;
  if (session === undefined) return;
  const sessions = sessionsOf.get(gateway) ?? watch(gateway);
  if (sessions.has(session)) return;
  sessions.add(session);
  session.on('close', () => void sessions.delete(session));
}

function watch(gateway: Gateway): Set<Http2Session> {
  const sessions = new Set<Http2Session>();
  sessionsOf.set(gateway, sessions);
  gateway.onGone(() => {
    for (const session of sessions) session.close();
  });
  return sessions;
}
