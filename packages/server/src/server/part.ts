import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { ConnectionEnd, ConnectionInfo, EventInput, EventLog, Hub, Published, TopicRule } from 'tidings';
import type { Authenticator, Grant } from '../auth/authenticator.ts';
import type { Setting, Settings } from '../config/setting.ts';
import type { Publisher } from './publisher.ts';

/** Learns what happens at the server's doors. It must not throw, and returns at once. */
export interface Observer {
  /** A stream begins. A returned function is called once it is over. */
  connected?(connection: ConnectionInfo, request: FastifyRequest): void | ((end: ConnectionEnd) => void);
  /** Events were published. */
  published?(events: readonly EventInput[], published: readonly Published[], publication: Publication): void;
}

/** The publisher, and the request it used. */
export interface Publication {
  readonly grant: Grant;
  readonly request: FastifyRequest;
  /**
   * The door itself has tagged the events, for clients of its protocol. Tags of publishers aren't taken: one could give an
   * event the identifier of another, or say where it stands in the log.
   */
  readonly hasTagged?: boolean;
}

/** Tells all observers. Each door calls it. */
export interface Observers {
  add(observer: Observer): void;
  connected(connection: ConnectionInfo, request: FastifyRequest): (end: ConnectionEnd) => void;
  published(events: readonly EventInput[], published: readonly Published[], publication: Publication): void;
}

/** The base that every part of the server builds on. */
export interface ServerContext {
  /** The settings at the start; `reload` brings newer ones. */
  readonly settings: Settings;
  readonly hub: Hub;
  readonly log: EventLog;
  readonly logger: Logger;
  readonly authenticator: Authenticator;
  readonly publisher: Publisher;
  readonly observers: Observers;
  /** The server that everybody reaches. */
  readonly publicApp: FastifyInstance;
  /** The one for operators. Undefined if it is switched off. */
  readonly internalApp: FastifyInstance | undefined;
  /** Nothing was configured: this is somebody's laptop. */
  readonly development: boolean;
  /** The key of development mode. */
  readonly developmentKey: Uint8Array | undefined;
  readonly phase: () => ServerPhase;
}

export type ServerPhase = 'starting' | 'serving' | 'draining' | 'closed';

/** A part that runs. */
export interface RunningPart {
  /** Takes the reloadable settings. Rejects, and keeps the old ones, if they make no sense. */
  reload?(settings: Settings): void | Promise<void>;
  /** Called when the hub and both servers are closed. */
  close?(): void | Promise<void>;
}

/** A part of the server, such as the HTTP API: it brings its settings and adds its routes. */
export interface ServerPart {
  readonly name: string;
  readonly settings: readonly Setting[];
  /**
   * Looks at everything that `register` would refuse, files included, without starting anything.
   *
   * @throws {TidingsError} `config/*`.
   */
  check?(settings: Settings): void | Promise<void>;
  /** Rules for topics that the part publishes on itself; they come before those of the settings. */
  topicRules?(settings: Settings): readonly TopicRule[];
  /** Called once, before the servers listen. */
  register(context: ServerContext): RunningPart | Promise<RunningPart>;
}
