import type { ConnectionInfo } from 'tidings';

/** The part of a hub that is used here. */
interface EndsConnections {
  readonly disconnect: (where: (connection: ConnectionInfo) => boolean) => number;
}

/** Knows each session's open streams, to end them with it, and counts their users. */
export interface SessionStreams {
  /** @returns a function to call once the stream is over */
  add(sessionId: string, connection: Pick<ConnectionInfo, 'id' | 'subject'>): () => void;
  /** Ends the streams of a session. Their clients come back, without it. */
  end(sessionId: string): void;
  /** Distinct users with an open stream. */
  users(): number;
}

export function createSessionStreams(hub: EndsConnections): SessionStreams {
  const bySession = createGroups();
  const byUser = createGroups();

  return {
    add(sessionId, { id, subject }) {
      bySession.add(sessionId, id);
      if (subject !== undefined) byUser.add(subject, id);
      return () => {
        bySession.remove(sessionId, id);
        if (subject !== undefined) byUser.remove(subject, id);
      };
    },
    end(sessionId) {
      const connections = bySession.get(sessionId);
      if (connections !== undefined) hub.disconnect(({ id }) => connections.has(id));
    },
    users: () => byUser.size,
  };
}

/** Connections in groups. An empty group takes no memory. */
function createGroups() {
  const groups = new Map<string, Set<string>>();

  return {
    get: (key: string): ReadonlySet<string> | undefined => groups.get(key),
    get size() {
      return groups.size;
    },
    add(key: string, connection: string): void {
      const group = groups.get(key) ?? new Set();
      groups.set(key, group.add(connection));
    },
    remove(key: string, connection: string): void {
      const group = groups.get(key);
      group?.delete(connection);
      if (group?.size === 0) groups.delete(key);
    },
  };
}
