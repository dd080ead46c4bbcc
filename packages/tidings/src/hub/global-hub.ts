import { gatewayOf } from './gateway.ts';
import type { Hub } from './hub.ts';
import { aFunction, describe, invalidOption } from '../protocol/options.ts';

/** Under `Symbol.for`: bundlers load this module once for each bundle, and hot reload loads it again. */
const HUBS: unique symbol = Symbol.for('tidings.hubs') as never;

/**
 * The hub of this process: made by `make` the first time, and again only after it was closed. Use it with frameworks
 * that load the same module several times, such as Next.js. Give a `name` if you need more than one.
 *
 * @example export const hub = globalHub(() => createHub());
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function globalHub(make: () => Hub, name = 'default'): Hub {
  if (!aFunction.accepts(make))
    throw invalidOption('make', `Expected a function that makes the hub, got ${describe(make)}.`);
  const holder = globalThis as { [HUBS]?: Map<string, Hub> };
  const hubs = (holder[HUBS] ??= new Map<string, Hub>());
  const present = hubs.get(name);
  if (present !== undefined && !gatewayOf(present).closing) return present;
  const hub = make();
  gatewayOf(hub);
  hubs.set(name, hub);
  return hub;
}
