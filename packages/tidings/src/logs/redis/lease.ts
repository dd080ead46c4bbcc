import { createHash } from 'node:crypto';
import { type Retention, type TidingsError, type TopicRule, createLogError } from '../../log/index.ts';
import { toBounds } from './records.ts';
import { ASSERT_WHOLE } from './script.ts';
import type { Store } from './store.ts';

/** Milliseconds for which a process counts as running after it was heard of last; and how often it is heard of. */
const LEASE = 15_000;
const RENEW = 5000;

/** Milliseconds for which a process's last call is remembered after it was heard of last. */
const REMEMBER = 86_400_000;

/**
 * Keys behind the prefix: `open` processes, by when their lease ends; `settings` of each. Redis's own clock decides; if
 * that was set back, leases end no later for it. Answers with a process that has other settings; with nothing if there is none.
 */
const CLAIM = `#!lua
local p = ARGV[1]
${ASSERT_WHOLE}
local open, settings, writers = p .. 'open', p .. 'settings', p .. 'writers'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, id in ipairs(redis.call('ZRANGEBYSCORE', open, now + ARGV[4] + 1, '+inf')) do
  redis.call('ZADD', open, now + ARGV[4], id)
end
redis.call('ZADD', writers, now, ARGV[2])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', writers, '-inf', now - ARGV[5], 'LIMIT', 0, 100)) do
  redis.call('ZREM', writers, id)
  redis.call('DEL', p .. 'w:' .. id)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', open, '-inf', now)) do
  redis.call('ZREM', open, id)
  redis.call('HDEL', settings, id)
end
local all = redis.call('HGETALL', settings)
for i = 1, #all, 2 do
  if all[i] ~= ARGV[2] and all[i + 1] ~= ARGV[3] then return all[i] end
end
redis.call('ZADD', open, now + ARGV[4], ARGV[2])
redis.call('HSET', settings, ARGV[2], ARGV[3])
return ''
`;

export interface LeaseOptions {
  readonly id: string;
  readonly retention: Retention;
  readonly topics: readonly TopicRule[];
}

export interface Lease {
  /** @throws {TidingsError} `log/in-use` if another process has come with other settings while this one was away. */
  assertHeld(): void;
  release(): Promise<void>;
}

/**
 * Claims the log for these settings. With rules of its own, each process would trim and supersede events that others
 * should keep.
 *
 * @throws {TidingsError} `log/in-use`.
 */
export async function claim(store: Store, { id, retention, topics }: LeaseOptions): Promise<Lease> {
  const settings = createHash('sha256')
    .update(JSON.stringify([toBounds(retention), topics]))
    .digest('base64url');
  let isHeld = await renew();
  if (!isHeld) throw disagreeing();
  const timer = setInterval(() => {
    renew().then(
      (held) => (isHeld = held),
      () => {
        // Publishers and readers learn of it from their own commands.
      },
    );
  }, RENEW);
  timer.unref();

  async function renew(): Promise<boolean> {
    const { connection, prefix, key } = store;
    const args = [prefix, id, settings, String(LEASE), String(REMEMBER)];
    return (await connection.send(['EVAL', CLAIM, '1', key('log'), ...args])) === '';
  }

  return {
    assertHeld() {
      if (!isHeld) throw disagreeing();
    },
    async release() {
      clearInterval(timer);
      const { connection, key } = store;
      try {
        await Promise.all([
          connection.send(['ZREM', key('open'), id]),
          connection.send(['HDEL', key('settings'), id]),
          connection.send(['ZREM', key('writers'), id]),
          connection.send(['DEL', key(`w:${id}`)]),
        ]);
      } catch {
        // Without Redis there is nothing to release: the lease ends by itself.
      }
    },
  };
}

function disagreeing(): TidingsError {
  const message =
    'Another process has this log open with other `retention` or `topics`. Stop all that share it, then start them ' +
    'with the same.';
  return createLogError('log/in-use', message);
}
