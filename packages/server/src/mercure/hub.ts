import type { CorsOptions } from 'tidings/fastify';
import type { PatternSyntax } from 'tidings/transport';
import type { HubUrl } from './hub-url.ts';
import type { TopicNames } from './topic-names.ts';

/** The hub as all requests of the protocol need it. */
export interface Hub {
  readonly url: HubUrl;
  readonly names: TopicNames;
  readonly urlPatterns: PatternSyntax;
  readonly uriTemplates: PatternSyntax;
  readonly cookie: string;
  readonly cors: CorsOptions | undefined;
  /** Origins whose pages may publish with a user's cookie: the hub's own, and those that are listed. */
  readonly publishOrigins: readonly string[];
  /** Those whose pages may subscribe with one, as well. */
  readonly origins: readonly string[];
  /** Whether it speaks 0.x as well. */
  readonly legacy: boolean;
  readonly development: boolean;
}
