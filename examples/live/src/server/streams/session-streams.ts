import type { Hub } from 'tidings';

/** Which streams were opened with which session, so that they can end with it. */
export interface SessionStreams {
  /** @returns to be called once the stream is over */
  add(sessionId: string, connectionId: string): () => void;
  /** Ends the streams of a session. Their clients come back, without it. */
  end(sessionId: string): void;
}

export function createSessionStreams(hub: Pick<Hub, 'disconnect'>): SessionStreams {
  const bySession = new Map<string, Set<string>>();

  return {
    add(sessionId, connectionId) {
      const connections = bySession.get(sessionId) ?? new Set<string>();
      bySession.set(sessionId, connections.add(connectionId));
      return () => {
        connections.delete(connectionId);
        if (connections.size === 0 && bySession.get(sessionId) === connections) bySession.delete(sessionId);
      };
    },
    end(sessionId) {
      const connections = bySession.get(sessionId);
      if (connections !== undefined) hub.disconnect(({ id }) => connections.has(id));
    },
  };
}
