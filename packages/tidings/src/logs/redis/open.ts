import { createLogError } from '../../log/index.ts';
import { FencedScript, randomId } from './eval.ts';
import { isReplyError } from './replies.ts';
import { ASSERT_WHOLE } from './script.ts';
import { FORMAT, type State, type Store, readState } from './store.ts';
import type { Durability } from './durability.ts';

/** The keys that every log has or may have, by their type. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  hash: ['meta', 'left', 'ids', 'states', 'lost', 'plost', 'sizes', 'settings'],
  stream: ['log', 'wake'],
  zset: ['old', 'topics', 'values', 'stopics', 'losses', 'plosses', 'ttls', 'bounded', 'open', 'writers'],
};

/** Makes the log if there is none. Answers with a key of somebody else's if one is in the way. */
const OPEN = `#!lua
local p = ARGV[1]
${ASSERT_WHOLE}
local meta = p .. 'meta'
for i = 5, #ARGV, 2 do
  local found = redis.call('TYPE', p .. ARGV[i]).ok
  if found ~= 'none' and found ~= ARGV[i + 1] then return { 'foreign', p .. ARGV[i], found } end
end
local isLog = redis.call('HEXISTS', meta, 'epoch') == 1
if not isLog and redis.call('EXISTS', meta) == 1 then return { 'foreign', meta, 'hash' } end
if not isLog and redis.call('EXISTS', p .. 'log') == 1 then return { 'foreign', p .. 'log', 'stream' } end
redis.call('HSETNX', meta, 'epoch', ARGV[2])
redis.call('HSETNX', meta, 'format', ARGV[3])
redis.call('HSETNX', meta, 'view', ARGV[4])
return redis.call('HMGET', meta, 'format', 'view')
`;

/** @param writing the same, for the commands of its script. @throws {TidingsError} `log/unavailable`. */
export async function openLog(
  store: Store,
  writing: Store,
  durability: Durability,
): Promise<{ readonly script: FencedScript; readonly state: State }> {
  await assertNoEviction(store);
  await assertDurability(store, durability);
  const view = await makeLog(store);
  const state = await readState(store);
  if (state === undefined)
    throw createLogError('log/unavailable', 'The log was deleted while it was opened.');
  return { script: new FencedScript(writing, view), state };
}

/** @returns the view of the log that is there, or that was made. */
async function makeLog(store: Store): Promise<string> {
  const { connection, key, prefix } = store;
  const candidate = randomId();
  await FencedScript.load(store, candidate);
  const types = Object.entries(KEYS).flatMap(([type, names]) => names.flatMap((name) => [name, type]));
  const args = [prefix, randomId(), String(FORMAT), candidate, ...types];
  const found = (await connection.send(['EVAL', OPEN, '1', key('log'), ...args])) as readonly string[];
  const [format, view = '', type] = found;
  if (format === 'foreign') {
    const message = `The key ${view} is a ${type} of somebody else's. Give the log a \`prefix\` of its own.`;
    throw createLogError('log/unavailable', message, { details: { key: view } });
  }
  if (format === String(FORMAT)) return view;
  const message = `The log has format ${format}; this version reads format ${FORMAT}.`;
  throw createLogError('log/unavailable', message, { details: { format } });
}

/** A server that doesn't know the command, or has no append-only file, would refuse each append after it is done. */
async function assertDurability({ connection }: Store, durability: Durability): Promise<void> {
  if (durability !== 'disk') return;
  try {
    await connection.send(['WAITAOF', '1', '0', '1']);
  } catch (cause) {
    if (!isReplyError(cause)) throw cause;
    const message =
      '`durability: "disk"` needs Redis ≥ 7.2 or Valkey, with `appendonly yes`; this server refused WAITAOF.';
    throw createLogError('log/unavailable', message, { details: { durability }, cause });
  }
}

/** Where Redis may evict keys to make room, events would vanish without a trace. The log's keys have no time to live. */
async function assertNoEviction({ connection }: Store): Promise<void> {
  const policy = await evictionPolicy(connection);
  if (policy === undefined || policy === 'noeviction' || policy.startsWith('volatile-')) return;
  const message = `Redis has \`maxmemory-policy ${policy}\` and may evict the log's keys. Set it to \`noeviction\`.`;
  throw createLogError('log/unavailable', message, { details: { policy } });
}

/** Undefined where the user may ask neither way, as with some providers. */
async function evictionPolicy(connection: Store['connection']): Promise<string | undefined> {
  const info = await unlessRefused(connection.send(['INFO', 'memory']));
  const found = /^maxmemory_policy:(\S+)/m.exec(String(info))?.[1];
  if (found !== undefined) return found;
  const reply = await unlessRefused(connection.send(['CONFIG', 'GET', 'maxmemory-policy']));
  // A list of the name and the value, or with the third version of the protocol an object.
  const values: readonly unknown[] = reply instanceof Map ? [...reply.values()] : Object.values(reply ?? {});
  const policy = values.at(-1);
  return typeof policy === 'string' ? policy : undefined;
}

async function unlessRefused<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (!isReplyError(error)) throw error;
    return undefined;
  }
}
