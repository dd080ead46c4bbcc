import { TidingsError, createLogError } from '../../log/index.ts';
import { isReplyError } from './connection.ts';
import { FencedScript, randomId } from './eval.ts';
import { FORMAT, type State, type Store, readState } from './store.ts';

/** All processes that use a log at the same time must trim and supersede by the same rules. */
const OPEN = `#!lua
local meta = ARGV[1] .. 'meta'
redis.call('HSETNX', meta, 'epoch', ARGV[2])
redis.call('HSETNX', meta, 'format', ARGV[3])
redis.call('HSETNX', meta, 'view', ARGV[4])
return redis.call('HMGET', meta, 'format', 'view')
`;

/** @throws {TidingsError} `log/unavailable`. */
export async function openLog(
  store: Store,
): Promise<{ readonly script: FencedScript; readonly state: State }> {
  const { connection, key, prefix } = store;
  await assertNoEviction(store);
  const candidate = randomId();
  await FencedScript.load(store, candidate);
  const args = [prefix, randomId(), String(FORMAT), candidate];
  const found = (await connection.send(['EVAL', OPEN, '1', key('log'), ...args])) as readonly string[];
  const [format, view = ''] = found;
  if (format !== String(FORMAT)) {
    const message = `The log has format ${format}; this version reads format ${FORMAT}.`;
    throw createLogError('log/unavailable', message, { details: { format } });
  }
  const state = await readState(store);
  if (state === undefined)
    throw createLogError('log/unavailable', 'The log was deleted while it was opened.');
  return { script: new FencedScript(store, view), state };
}

/** Where Redis may evict keys to make room, events would vanish without a trace. */
async function assertNoEviction({ connection }: Store): Promise<void> {
  const policy = await evictionPolicy(connection);
  if (policy === undefined || policy === 'noeviction' || policy.startsWith('volatile-')) return;
  const message = `Redis has \`maxmemory-policy ${policy}\` and may evict the log's keys. Set it to \`noeviction\`.`;
  throw createLogError('log/unavailable', message, { details: { policy } });
}

/** Undefined where the user may ask neither way, as with some providers. */
async function evictionPolicy(connection: Store['connection']): Promise<string | undefined> {
  try {
    const info = await connection.send(['INFO', 'memory']);
    const found = /^maxmemory_policy:(\S+)/m.exec(String(info))?.[1];
    if (found !== undefined) return found;
  } catch (error) {
    if (error instanceof TidingsError || !isReplyError(error)) throw error;
  }
  try {
    const reply = await connection.send(['CONFIG', 'GET', 'maxmemory-policy']);
    return Array.isArray(reply) ? String(reply[1]) : undefined;
  } catch (error) {
    if (error instanceof TidingsError || !isReplyError(error)) throw error;
    return undefined;
  }
}
