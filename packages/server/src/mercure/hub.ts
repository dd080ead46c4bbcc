import type { CorsOptions } from 'tidings/fastify';
import type { PatternSyntax } from 'tidings/transport';
import type { HubUrl } from './hub-url.ts';
import type { TopicNames } from './topic-names.ts';

/** The parts of the hub that all requests of the protocol share. */
export interface Hub {
  readonly url: HubUrl;
  readonly names: TopicNames;
  readonly urlPatterns: PatternSyntax;
  readonly uriTemplates: PatternSyntax;
  readonly cookie: string;
  readonly cors: CorsOptions | undefined;
  /** Origins whose pages may publish with a user's cookie: the hub's own, and those that are listed. */
  readonly publishOrigins: readonly string[];
  /** The origins whose pages may subscribe with one, as well. */
  readonly origins: readonly string[];
  /** Whether it speaks 0.x as well. */
  readonly legacy: boolean;
  readonly development: boolean;
}
