import type { Matcher } from 'tidings';
import { describe } from 'tidings/transport';
import { InvalidDetails, NOTHING, type Payload, type Permissions } from '../authorization-details.ts';
import type { Hub } from '../hub.ts';
import { assertMatcher } from '../matchers.ts';
import { mapInTurns } from '../turns.ts';
import { LEGACY, toSelector } from './selectors.ts';

const MAX_SELECTORS = 100;

/**
 * The permissions of the claim `mercure` of 0.x; undefined if a token has none.
 *
 * @throws {InvalidDetails}
 */
export async function readLegacyClaims(
  claims: Readonly<Record<string, unknown>>,
  hub: Pick<Hub, 'uriTemplates' | 'names'>,
): Promise<Permissions | undefined> {
  const name = LEGACY.claims.find((each) => claims[each] !== undefined);
  if (name === undefined) return undefined;
  const claim = claims[name];
  if (typeof claim !== 'object' || claim === null) throw new InvalidDetails(`\`${name}\` is no object`);
  const { publish, subscribe, payload } = claim as Record<string, unknown>;
  const attached = typeof payload === 'object' && payload !== null ? (payload as Payload) : undefined;
  return {
    ...NOTHING,
    publish: await selectorsOf(publish, 'publish', hub),
    subscribe: await selectorsOf(subscribe, 'subscribe', hub),
    payloadOf: () => attached,
  };
}

async function selectorsOf(
  list: unknown,
  name: string,
  hub: Pick<Hub, 'uriTemplates' | 'names'>,
): Promise<readonly Matcher[]> {
  if (list === undefined || list === null) return [];
  if (!Array.isArray(list) || list.length > MAX_SELECTORS)
    throw new InvalidDetails(`\`${name}\` is no list of at most ${MAX_SELECTORS} topics`);
  const selectors = await mapInTurns(list as readonly unknown[], (selector) => {
    if (typeof selector !== 'string')
      throw new InvalidDetails(`a topic of \`${name}\` is ${describe(selector)}`);
    try {
      assertMatcher(selector);
      return toSelector(selector, hub);
    } catch (cause) {
      throw new InvalidDetails(`a topic of \`${name}\` is invalid`, { cause });
    }
  });
  return selectors.flat();
}
