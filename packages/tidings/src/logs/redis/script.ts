/**
 * One script for every change of the log: it appends a group, supersedes, trims. Redis runs it as a whole, and writes
 * its effects to replicas and to the append-only file as one transaction, so a group is in the log as a whole or not at
 * all. Without events it only trims.
 *
 * KEYS[1]: the stream. ARGV: see `write` in `index.ts`; `records.ts` has those of an event.
 *
 * Keys, all behind the prefix: `log` the stream of events, with ids `seq-0`; `meta` the log's own state;
 * `ids` publisher's id → seq; `old` ids of superseded events by seq; `topics` all topics, in order of their names;
 * `t:TOPIC` its seqs; `states` topic and key → seq of the value; `values` seqs of all values; `stopics` topics with
 * values; `s:TOPIC` seqs of its values; `lost` topic → its newest loss; `losses` topics by when they lost something;
 * `bounded` topics with a bound of their own; `b:TOPIC` their seqs; `sizes` their bytes; `w:NODE` a writer's last call.
 */
export const APPEND = `#!lua
local p = ARGV[1]
local writer, call = ARGV[2], ARGV[3]
local now = tonumber(ARGV[4])
local maxEvents, maxBytes, maxAge = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local idWindow, trimStep, maxLosses = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local count = tonumber(ARGV[11])
local FIRST, FIELDS = 12, 11
local LOG, META, IDS, OLD, TOPICS = p .. 'log', p .. 'meta', p .. 'ids', p .. 'old', p .. 'topics'
local STATES, VALUES, STOPICS = p .. 'states', p .. 'values', p .. 'stopics'
local LOST, LOSSES, BOUNDED, SIZES = p .. 'lost', p .. 'losses', p .. 'bounded', p .. 'sizes'
local redisCall = redis.call

local function text(n) return string.format('%.0f', n) end

local NAMES = { 'head', 'events', 'bytes', 'floor', 'newestLoss', 'lossCount', 'trimmedTo', 'lossRecords', 'forgottenSeq', 'forgottenCount' }
local found = redisCall('HMGET', META, 'epoch', unpack(NAMES))
local epoch = found[1]
if not epoch then return redis.error_reply('TIDINGS-EMPTY there is no log behind this prefix') end
local state = {}
for i, name in ipairs(NAMES) do state[name] = tonumber(found[i + 1] or 0) or 0 end

-- A call that is sent again, since its answer was lost, is answered again.
if writer ~= '' and count > 0 then
  local last = redisCall('HMGET', p .. 'w:' .. writer, 'call', 'answer')
  if last[1] == call then
    return { cjson.decode(last[2]), epoch, text(state.head), text(state.floor), text(state.newestLoss), text(state.lossCount) }
  end
end

local function split(list)
  local parts = {}
  for part in string.gmatch(list, '[^\\n]+') do parts[#parts + 1] = part end
  return parts
end

local function get(seq)
  local entries = redisCall('XRANGE', LOG, seq .. '-0', seq .. '-0')
  if #entries == 0 then return nil end
  local entry, fields = { seq = seq }, entries[1][2]
  for i = 1, #fields, 2 do entry[fields[i]] = fields[i + 1] end
  entry.topics = split(entry.t)
  return entry
end

local function toEntry(raw)
  local entry = { seq = string.match(raw[1], '^%d+') }
  for i = 1, #raw[2], 2 do entry[raw[2][i]] = raw[2][i + 1] end
  entry.topics = split(entry.t)
  return entry
end

local function has(entry, flag) return entry.f and string.find(entry.f, flag, 1, true) ~= nil end
local function placeOf(entry) return entry.topics[1] .. '\\n' .. entry.k end

local function drop(key, member, index, name)
  redisCall('ZREM', key, member)
  if redisCall('EXISTS', key) == 0 then redisCall('ZREM', index, name) end
end

-- Values don't count against retention, deletions do.
local function uncount(entry)
  state.events = state.events - 1
  state.bytes = state.bytes - tonumber(entry.s)
end

local removed = false
local function remove(entry)
  removed = true
  redisCall('XDEL', LOG, entry.seq .. '-0')
  for _, topic in ipairs(entry.topics) do drop(p .. 't:' .. topic, entry.seq, TOPICS, topic) end
  if has(entry, 'b') then
    local topic = entry.topics[1]
    drop(p .. 'b:' .. topic, entry.seq, BOUNDED, topic)
    if redisCall('HINCRBY', SIZES, topic, -tonumber(entry.s)) <= 0 then redisCall('HDEL', SIZES, topic) end
  end
end

local lostBefore, lostNow = {}, {}
local function lose(entry)
  remove(entry)
  uncount(entry)
  if entry.i and redisCall('HGET', IDS, entry.i) == entry.seq then redisCall('HDEL', IDS, entry.i) end
  local seq = tonumber(entry.seq)
  state.newestLoss = math.max(state.newestLoss, seq)
  state.lossCount = state.lossCount + 1
  for _, topic in ipairs(entry.topics) do
    local newest = lostNow[topic]
    if not newest then lostBefore[#lostBefore + 1] = topic end
    lostNow[topic] = { math.max(newest and newest[1] or 0, seq), state.lossCount }
  end
end

local function leaveStates(entry)
  for _, topic in ipairs(entry.topics) do drop(p .. 's:' .. topic, entry.seq, STOPICS, topic) end
  redisCall('ZREM', VALUES, entry.seq)
end

local function isValue(entry)
  return has(entry, 's') and not has(entry, 't') and redisCall('HGET', STATES, placeOf(entry)) == entry.seq
end

-- A newer value stands for an older one only where it is read, too: on all of its topics, and by all of its readers.
local function standsFor(newer, older)
  if has(newer, 'p') and not has(older, 'p') then return false end
  local topics = {}
  for _, topic in ipairs(newer.topics) do topics[topic] = true end
  for _, topic in ipairs(older.topics) do if not topics[topic] then return false end end
  return true
end

local function supersede(entry)
  local place = placeOf(entry)
  local before = redisCall('HGET', STATES, place)
  redisCall('HSET', STATES, place, entry.seq)
  if not has(entry, 't') then
    for _, topic in ipairs(entry.topics) do
      redisCall('ZADD', p .. 's:' .. topic, entry.seq, entry.seq)
      redisCall('ZADD', STOPICS, 0, topic)
    end
    redisCall('ZADD', VALUES, entry.seq, entry.seq)
  end
  local older = before and get(before)
  if not older then return end
  local counted = has(older, 't')
  if not counted then leaveStates(older) end
  if standsFor(entry, older) then
    if counted then uncount(older) end
    remove(older)
    if older.i then redisCall('ZADD', OLD, older.seq, older.seq .. ':' .. older.i) end
    return
  end
  if not counted then
    state.events = state.events + 1
    state.bytes = state.bytes + tonumber(older.s)
  end
  -- Retention has passed it, and would not come back.
  if tonumber(older.seq) <= state.trimmedTo then lose(older) end
end

local function trimTopic(topic, most, events, bytes, age)
  local key = p .. 'b:' .. topic
  for _ = 1, most do
    local oldest = redisCall('ZRANGE', key, 0, 0)[1]
    if not oldest then return end
    local size = tonumber(redisCall('HGET', SIZES, topic) or 0)
    local isFull = (events >= 0 and redisCall('ZCARD', key) > events) or (bytes >= 0 and size > bytes)
    if not isFull and age < 0 then return end
    local entry = get(oldest)
    if not entry then redisCall('ZREM', key, oldest)
    elseif isFull or now - tonumber(entry.m) > age then lose(entry)
    else return end
  end
end

local function append(at)
  local entry = { t = ARGV[at], d = ARGV[at + 2], s = ARGV[at + 6], m = ARGV[4] }
  if ARGV[at + 1] ~= '' then entry.y = ARGV[at + 1] end
  if ARGV[at + 3] ~= '' then entry.i = ARGV[at + 3] end
  if ARGV[at + 4] ~= '' then entry.k = ARGV[at + 4] end
  if ARGV[at + 5] ~= '' then entry.f = ARGV[at + 5] end
  local known = entry.i and redisCall('HGET', IDS, entry.i)
  if known then return '-' .. known end
  state.head = state.head + 1
  entry.seq = text(state.head)
  entry.topics = split(entry.t)
  local fields = { 'm', entry.m, 't', entry.t, 's', entry.s, 'd', entry.d }
  for _, name in ipairs({ 'y', 'i', 'k', 'f' }) do
    if entry[name] then fields[#fields + 1] = name; fields[#fields + 1] = entry[name] end
  end
  redisCall('XADD', LOG, entry.seq .. '-0', unpack(fields))
  for _, topic in ipairs(entry.topics) do
    redisCall('ZADD', p .. 't:' .. topic, entry.seq, entry.seq)
    redisCall('ZADD', TOPICS, 0, topic)
  end
  if entry.i then redisCall('HSET', IDS, entry.i, entry.seq) end
  for _, id in ipairs(split(ARGV[at + 10])) do
    if redisCall('HSETNX', IDS, id, entry.seq) == 1 then redisCall('ZADD', OLD, entry.seq, entry.seq .. ':' .. id) end
  end
  if not (has(entry, 's') and not has(entry, 't')) then
    state.events = state.events + 1
    state.bytes = state.bytes + tonumber(entry.s)
  end
  if has(entry, 's') then supersede(entry) end
  if has(entry, 'b') then
    local topic = entry.topics[1]
    redisCall('ZADD', p .. 'b:' .. topic, entry.seq, entry.seq)
    redisCall('ZADD', BOUNDED, 0, topic)
    redisCall('HINCRBY', SIZES, topic, entry.s)
    trimTopic(topic, trimStep, tonumber(ARGV[at + 7]), tonumber(ARGV[at + 8]), tonumber(ARGV[at + 9]))
  end
  return entry.seq
end

local answer = {}
for i = 0, count - 1 do answer[i + 1] = append(FIRST + i * FIELDS) end

for _, member in ipairs(redisCall('ZRANGEBYSCORE', OLD, '-inf', text(state.head - idWindow), 'LIMIT', 0, trimStep)) do
  local seq, id = string.match(member, '^(%d+):(.*)$')
  redisCall('ZREM', OLD, member)
  if redisCall('HGET', IDS, id) == seq then redisCall('HDEL', IDS, id) end
end

local function isFull()
  return (maxEvents >= 0 and state.events > maxEvents) or (maxBytes >= 0 and state.bytes > maxBytes)
end

local function trimLog()
  local most = count + trimStep
  while most > 0 and (isFull() or maxAge >= 0) do
    local limit = math.min(most, math.max(16, math.min(256, maxEvents >= 0 and state.events - maxEvents or 16)))
    local page = redisCall('XRANGE', LOG, '(' .. text(state.trimmedTo) .. '-0', '+', 'COUNT', limit)
    for _, raw in ipairs(page) do
      local entry = toEntry(raw)
      if not isFull() and not (maxAge >= 0 and now - tonumber(entry.m) > maxAge) then return end
      state.trimmedTo = tonumber(entry.seq)
      if not isValue(entry) then
        if has(entry, 's') and redisCall('HGET', STATES, placeOf(entry)) == entry.seq then redisCall('HDEL', STATES, placeOf(entry)) end
        lose(entry)
      end
    end
    if #page < limit then return end
    most = most - limit
  end
end
trimLog()

-- Topics that nobody publishes to, four arguments each.
for i = FIRST + count * FIELDS, #ARGV, 4 do
  trimTopic(ARGV[i], trimStep, tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]))
end

for _, topic in ipairs(lostBefore) do
  local newest = lostNow[topic]
  local before = redisCall('HGET', LOST, topic)
  if before then newest[1] = math.max(newest[1], tonumber(before)) else state.lossRecords = state.lossRecords + 1 end
  redisCall('HSET', LOST, topic, text(newest[1]))
  redisCall('ZADD', LOSSES, text(newest[2]), topic)
end
if state.lossRecords > maxLosses then
  local forgotten = redisCall('ZRANGE', LOSSES, 0, state.lossRecords - maxLosses - 1, 'WITHSCORES')
  for i = 1, #forgotten, 2 do
    state.forgottenSeq = math.max(state.forgottenSeq, tonumber(redisCall('HGET', LOST, forgotten[i])))
    state.forgottenCount = math.max(state.forgottenCount, tonumber(forgotten[i + 1]))
    redisCall('HDEL', LOST, forgotten[i])
    redisCall('ZREM', LOSSES, forgotten[i])
    state.lossRecords = state.lossRecords - 1
  end
end

if removed then
  local oldest = redisCall('XRANGE', LOG, '-', '+', 'COUNT', 1)[1]
  state.floor = oldest and tonumber(string.match(oldest[1], '^%d+')) - 1 or state.head
end

local fields = {}
for _, name in ipairs(NAMES) do fields[#fields + 1] = name; fields[#fields + 1] = text(state[name]) end
redisCall('HSET', META, unpack(fields))
if count > 0 then
  redisCall('XADD', p .. 'wake', 'MAXLEN', 1, '*', 'head', text(state.head))
  if writer ~= '' then
    redisCall('HSET', p .. 'w:' .. writer, 'call', call, 'answer', cjson.encode(answer))
    redisCall('EXPIRE', p .. 'w:' .. writer, 86400)
  end
end
return { answer, epoch, text(state.head), text(state.floor), text(state.newestLoss), text(state.lossCount) }
`;
