import { api } from '../api/index.ts';
import { mercure } from '../mercure/index.ts';
import { operation } from '../operation/index.ts';
import type { ServerPart } from './part.ts';

/** The parts of the server, in the order in which they are registered: `operation` adds hooks to the routes of those after it. */
export const PARTS: readonly ServerPart[] = [operation, api, mercure];
