import { HUBS_BOUNDS, type Retention, TAG_PREFIX } from '../../log/index.ts';

const {
  events: hubsEvents = -1,
  bytes: hubsBytes = -1,
  age: hubsAge = -1,
}: Retention = HUBS_BOUNDS.retention;

/** The byte that tags begin with. */
const TAG = TAG_PREFIX.charCodeAt(0);

/**
 * In a cluster that moves the log's slot to another node, some keys are here and some there, and Redis refuses commands
 * in the middle of a script. It does so for keys that don't exist, too: on the old node for one, on the new node for
 * two. So a script asks for two before it writes anything. `p` is the prefix.
 */
export const ASSERT_WHOLE = `
local probe = redis.pcall('EXISTS', p .. '-', p .. '--')
if type(probe) == 'table' then
  if string.match(probe.err, '^NOPERM') then return probe end
  return redis.error_reply('TIDINGS-MOVING the slot of the log is moving to another node')
end`;

/** The most wake-ups that are kept, and the most bytes of events in one of them. */
const MAX_WAKE_UPS = 8;
const MAX_NEWS = 16_384;

/**
 * Wakes followers up. `id` begins with the head, so a process asks for those beyond its own. Where the stream is ahead of
 * the log, somebody has touched the keys: it begins anew, or no append would ever succeed. `p` is the prefix.
 */
export const WAKE: string = `
local function wake(id, ...)
  local added = redis.pcall('XADD', p .. 'wake', 'MAXLEN', ${MAX_WAKE_UPS}, id, ...)
  if type(added) ~= 'table' then return end
  if redis.call('TYPE', p .. 'wake').ok == 'stream' then redis.call('DEL', p .. 'wake') end
  redis.call('XADD', p .. 'wake', id, ...)
end`;

/**
 * One script for every change of the log: it appends a group, supersedes, trims. Redis runs it as a whole, and writes
 * its effects to replicas and to the append-only file as one transaction, so a group is in the log as a whole or not at
 * all. Without events it only expires and trims. Longer than other files because Redis takes it as one text.
 *
 * KEYS[1]: the stream. ARGV: see `run` in `write.ts`; `records.ts` has those of an event, `packs.ts` those of a pack.
 *
 * Keys, all behind the prefix: `log` the stream of events and packs, with ids `seq-0`, in which a pack has the seq of its
 * last event, as in the sets of seqs below; `left` seq → the topics that a superseded
 * event still has; `meta` the log's own state; `ids` publisher's id → seq; `old` ids of superseded events, by
 * the seq that superseded them; `topics` all topics, in order of their names; `t:TOPIC` its seqs; `states` topic and key →
 * seqs of its values; `k:TOPIC` its keys, by their newest seq; `values` seqs of all values; `stopics` topics with values;
 * `s:TOPIC` seqs of its values; `lost` topic → its newest loss of a public event; `losses` topics by when they lost one; `plost` and `plosses` the same of private events; `ttls` topic and key → when it expires; `bounded`
 * groups with a bound of their own; `b:GROUP` their seqs; `sizes` their bytes; `wake` the newest wake-ups (`wake-ups.ts`); `w:NODE` a writer's last call, and `writers` when each was last heard of. None of them has
 * a time to live: Redis may evict those that do.
 */
export const APPEND: string = `#!lua
local p = ARGV[1]
${ASSERT_WHOLE}
${WAKE}
local writer, call = ARGV[2], ARGV[3]
local now = tonumber(ARGV[4])
-- The clocks of several machines differ, so the server's counts.
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local maxEvents, maxBytes, maxAge = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local idWindow, trimStep, maxLosses = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local count = tonumber(ARGV[11])
local expectedEpoch, callCount = ARGV[12], tonumber(ARGV[13])
local FIRST, FIELDS = 14, 6
local HUBS = '\\0${HUBS_BOUNDS.group.slice(1)}'
local LOG, LEFT, META, IDS, OLD, TOPICS = p .. 'log', p .. 'left', p .. 'meta', p .. 'ids', p .. 'old', p .. 'topics'
local STATES, VALUES, STOPICS = p .. 'states', p .. 'values', p .. 'stopics'
local TTLS = p .. 'ttls'
local BOUNDED, SIZES = p .. 'bounded', p .. 'sizes'
-- What is known of lost events, public and private ones apart: two keys, and names in the state.
local PUBLIC = { lost = p .. 'lost', losses = p .. 'losses', name = 'public', topics = {}, now = {} }
local PRIVATE = { lost = p .. 'plost', losses = p .. 'plosses', name = 'private', topics = {}, now = {} }
local redisCall = redis.call

local function text(n) return string.format('%.0f', n) end

local NAMES = { 'head', 'events', 'bytes', 'floor', 'newestLoss', 'lossCount', 'trimmedTo', 'time', 'ahead', 'left',
  'length', 'busy', 'publicLoss', 'publicCount', 'publicRecords', 'publicForgottenSeq', 'publicForgottenCount',
  'privateLoss', 'privateCount', 'privateRecords', 'privateForgottenSeq', 'privateForgottenCount' }
local found = redisCall('HMGET', META, 'epoch', 'nextExpiry', unpack(NAMES))
local epoch, expiryBefore = found[1], found[2]
local nextExpiry = expiryBefore
if not epoch then return redis.error_reply('TIDINGS-EMPTY there is no log behind this prefix') end
local state = {}
local before = {}
for i, name in ipairs(NAMES) do
  before[name] = tonumber(found[i + 2] or 0) or 0
  state[name] = before[name]
end
local headBefore = state.head
local length = redisCall('XLEN', LOG)
local isBroken = state.busy == 1 or length ~= state.length

-- A small append goes with its wake-up, so followers need not ask for it: the ids and fields of its entries.
local news, newsSize = not isBroken and {} or nil, 0
local function tell(seq, fields)
  if not news then return end
  for i = 2, #fields, 2 do newsSize = newsSize + 16 + #fields[i] end
  if newsSize > ${MAX_NEWS} then
    news = nil
    return
  end
  news[#news + 1] = 'entry'
  news[#news + 1] = seq
  for _, each in ipairs(fields) do news[#news + 1] = each end
end

local function reply(answer)
  return { answer, epoch, text(state.head), text(state.floor), text(state.newestLoss), text(state.lossCount),
    text(state.time), text(state.left), nextExpiry or '' }
end

-- A call that is sent again, since its answer was lost, is answered again.
if writer ~= '' and count > 0 then
  local last = redisCall('HMGET', p .. 'w:' .. writer, 'call', 'answer')
  if last[1] == call then return reply(cjson.decode(last[2])) end
  -- Clients may send an unanswered call again after later ones, when nobody waits for it any more.
  if tonumber(last[1] or 0) > tonumber(call) then
    return redis.error_reply('TIDINGS-LATE the process has appended more in the meantime')
  end
end

-- The log's time never goes back: where a clock was set back, it goes on from where it was.
if now + state.ahead >= state.time then state.time = now + state.ahead else state.ahead = state.time - now end
now = state.time

-- Logs without keys that expire have nothing to look up.
local expiring = expiryBefore and true or false
local function setExpiry(place, at)
  if at then
    expiring = true
    redisCall('ZADD', TTLS, at, place)
  elseif expiring then
    redisCall('ZREM', TTLS, place)
  end
end

local function split(list)
  if list == '' then return {} end
  -- Most events have one topic.
  if not string.find(list, '\\n', 1, true) then return { list } end
  local parts = {}
  for part in string.gmatch(list, '[^\\n]+') do parts[#parts + 1] = part end
  return parts
end

local function has(entry, flag) return entry.f and string.find(entry.f, flag, 1, true) ~= nil end

-- Each topic of a pack's lists once.
local function topicsOf(lists)
  local topics, known = {}, {}
  for _, topic in ipairs(split(lists)) do
    if not known[topic] then topics[#topics + 1] = topic end
    known[topic] = true
  end
  return topics
end

local function toEntry(raw)
  local entry = { seq = string.match(raw[1], '^%d+') }
  for i = 1, #raw[2], 2 do entry[raw[2][i]] = raw[2][i + 1] end
  if entry.n then
    entry.all = topicsOf(entry.t)
    entry.topics = entry.all
    return entry
  end
  entry.all = split(entry.t)
  local left = state.left > 0 and redisCall('HGET', LEFT, entry.seq)
  entry.topics = left and split(left) or entry.all
  entry.isLeft = left and true or false
  return entry
end

local function get(seq)
  local entries = redisCall('XRANGE', LOG, seq .. '-0', seq .. '-0')
  if #entries == 0 then return nil end
  return toEntry(entries[1])
end

local function placeOf(entry) return entry.all[1] .. '\\n' .. entry.k end

-- Of an event that lost topics to a newer value, the topics that it still has decide.
local function isState(entry)
  if not has(entry, 's') then return false end
  if not entry.isLeft then return true end
  for _, topic in ipairs(entry.topics) do
    for i, each in ipairs(entry.all) do
      if each == topic and string.sub(entry.q, i, i) == '1' then return true end
    end
  end
  return false
end

local function isValue(entry) return isState(entry) and not has(entry, 't') end

-- Values don't count against the log's bounds, and neither do the hub's own events.
local function count1(entry, sign)
  if has(entry, 'h') or isValue(entry) then return end
  state.events = state.events + sign * tonumber(entry.n or 1)
  state.bytes = state.bytes + sign * tonumber(entry.s)
end

-- Topics that this call has put into the index of all.
local indexed = {}

-- The seqs of events that this call has added, by topic: they go into the topics' sets together.
local added, areAdded = {}, false
local function indexAdded()
  if not areAdded then return end
  areAdded = false
  for topic, seqs in pairs(added) do
    redisCall('ZADD', p .. 't:' .. topic, unpack(seqs))
    if not indexed[topic] then
      redisCall('ZADD', TOPICS, 0, topic)
      indexed[topic] = true
    end
  end
  added = {}
end

local function addTo(topic, seq)
  areAdded = true
  local seqs = added[topic]
  if not seqs then
    seqs = {}
    added[topic] = seqs
  end
  seqs[#seqs + 1] = seq
  seqs[#seqs + 1] = seq
  -- Lua puts no more on its stack than 8000.
  if #seqs >= 2000 then indexAdded() end
end

local function drop(key, member, index, name)
  indexAdded()
  redisCall('ZREM', key, member)
  if redisCall('EXISTS', key) == 0 then
    redisCall('ZREM', index, name)
    if index == TOPICS then indexed[name] = nil end
  end
end

local function leaveGroup(entry)
  if not entry.g or redisCall('ZREM', p .. 'b:' .. entry.g, entry.seq) == 0 then return end
  if redisCall('EXISTS', p .. 'b:' .. entry.g) == 0 then redisCall('ZREM', BOUNDED, entry.g) end
  if redisCall('HINCRBY', SIZES, entry.g, -tonumber(entry.s)) <= 0 then redisCall('HDEL', SIZES, entry.g) end
end

local function leaveValues(entry, topics)
  for _, topic in ipairs(topics) do drop(p .. 's:' .. topic, entry.seq, STOPICS, topic) end
end

local removed = false
local function remove(entry)
  removed = true
  count1(entry, -1)
  state.length = state.length - redisCall('XDEL', LOG, entry.seq .. '-0')
  for _, topic in ipairs(entry.topics) do drop(p .. 't:' .. topic, entry.seq, TOPICS, topic) end
  if isValue(entry) then
    leaveValues(entry, entry.topics)
    redisCall('ZREM', VALUES, entry.seq)
  end
  if entry.isLeft then
    redisCall('HDEL', LEFT, entry.seq)
    state.left = state.left - 1
  end
  leaveGroup(entry)
end

local function leavePlace(entry)
  if not has(entry, 's') then return end
  local place = placeOf(entry)
  local rest = {}
  for seq in string.gmatch(redisCall('HGET', STATES, place) or '', '%d+') do
    if seq ~= entry.seq then rest[#rest + 1] = seq end
  end
  if #rest > 0 then
    redisCall('HSET', STATES, place, table.concat(rest, ','))
  else
    redisCall('HDEL', STATES, place)
    redisCall('ZREM', p .. 'k:' .. entry.all[1], entry.k)
    setExpiry(place, nil)
  end
end

local function recordTopics(tally, topics, seq)
  for _, topic in ipairs(topics) do
    -- Nobody asks for tags, which are often unique: they would crowd out topics.
    if string.byte(topic) ~= ${TAG} then
      local newest = tally.now[topic]
      if not newest then tally.topics[#tally.topics + 1] = topic end
      tally.now[topic] = { math.max(newest and newest[1] or 0, seq), state.lossCount }
    end
  end
end

local function recordLoss(entry)
  local seq, tally = tonumber(entry.seq), has(entry, 'p') and PRIVATE or PUBLIC
  state.newestLoss = math.max(state.newestLoss, seq)
  state.lossCount = state.lossCount + 1
  state[tally.name .. 'Loss'] = math.max(state[tally.name .. 'Loss'], seq)
  state[tally.name .. 'Count'] = state.lossCount
  recordTopics(tally, entry.topics, seq)
end

local function isFull()
  return (maxEvents >= 0 and state.events > maxEvents) or (maxBytes >= 0 and state.bytes > maxBytes)
end

-- Numbers and ids of a pack's events: see packs.ts.
local EVENT_OF_PACK = '(%d+) (%d+) (%d+ %d+)'
local function idsOf(text)
  local ids = {}
  for id in string.gmatch(text or '', '([^\\n]*)\\n') do ids[#ids + 1] = id end
  return ids
end

-- Takes the first events of a pack, as many as retention wants; and the pack with its last event.
local function losePack(pack, isOld)
  local tally = has(pack, 'p') and PRIVATE or PUBLIC
  local n, last = tonumber(pack.n), tonumber(pack.seq)
  local newest, lost = {}, 0
  local isByCount = isOld or (maxEvents >= 0 and (maxBytes < 0 or state.bytes <= maxBytes))
  if isByCount and not pack.i and not string.find(pack.t, '\\n\\n', 1, true) then
    -- Most packs are like this. One by one, their events would cost as much as all the rest of an append (the suite redis).
    local gone = math.max(0, state.trimmedTo - (last - n))
    lost = math.min(n - gone, isOld and n or state.events - maxEvents)
    if lost <= 0 then return end
    local nth, bytes = 0, lost == n and tonumber(pack.s) or 0
    if lost < n then
      for size in string.gmatch(pack.h, '(%d+) %d+ %d+ %d+') do
        nth = nth + 1
        if nth > gone + lost then break end
        if nth > gone then bytes = bytes + tonumber(size) end
      end
    end
    state.events = state.events - lost
    state.bytes = state.bytes - bytes
    state.trimmedTo = last - n + gone + lost
    newest[1] = state.trimmedTo
  else
    local ids, seq, nth = idsOf(pack.i), last - n, 0
    for size, list in string.gmatch(pack.h, '(%d+) (%d+) %d+ %d+') do
      nth = nth + 1
      if list ~= '0' then seq = seq + 1 end
      if list ~= '0' and seq > state.trimmedTo then
        if not isOld and not isFull() then break end
        state.events = state.events - 1
        state.bytes = state.bytes - tonumber(size)
        state.trimmedTo = seq
        newest[tonumber(list)] = seq
        lost = lost + 1
        local id = ids[nth]
        if id and id ~= '' and redisCall('HGET', IDS, id) == text(seq) then
          redisCall('HDEL', IDS, id)
          redisCall('ZREM', OLD, id)
        end
      end
    end
  end
  if lost == 0 then return end
  removed = true
  state.lossCount = state.lossCount + lost
  state.newestLoss = math.max(state.newestLoss, state.trimmedTo)
  state[tally.name .. 'Loss'] = math.max(state[tally.name .. 'Loss'], state.trimmedTo)
  state[tally.name .. 'Count'] = state.lossCount
  local at = 0
  for list in string.gmatch(pack.t .. '\\n\\n', '(.-)\\n\\n') do
    at = at + 1
    if newest[at] then recordTopics(tally, split(list), newest[at]) end
  end
  if state.trimmedTo < last then return end
  state.length = state.length - redisCall('XDEL', LOG, pack.seq .. '-0')
  for _, topic in ipairs(pack.topics) do drop(p .. 't:' .. topic, pack.seq, TOPICS, topic) end
end

local function lose(entry)
  remove(entry)
  leavePlace(entry)
  if entry.i and redisCall('HGET', IDS, entry.i) == entry.seq then
    redisCall('HDEL', IDS, entry.i)
    redisCall('ZREM', OLD, entry.i)
  end
  recordLoss(entry)
end

-- A newer value takes the topics that both have, unless some of the older one's readers may not read it.
local function leftOf(older, newer)
  if has(newer, 'p') and not has(older, 'p') then return older.topics end
  local taken, left = {}, {}
  for _, topic in ipairs(newer.topics) do taken[topic] = true end
  for _, topic in ipairs(older.topics) do if not taken[topic] then left[#left + 1] = topic end end
  return left
end

-- Keeps what a newer value leaves of an event. Returns whether it is still a value of its key.
local function leave(older, left)
  count1(older, -1)
  if isValue(older) then
    leaveValues(older, older.topics)
    redisCall('ZREM', VALUES, older.seq)
  end
  leaveGroup(older)
  local stays = {}
  for _, topic in ipairs(left) do stays[topic] = true end
  for _, topic in ipairs(older.topics) do
    if not stays[topic] then drop(p .. 't:' .. topic, older.seq, TOPICS, topic) end
  end
  redisCall('HSET', LEFT, older.seq, table.concat(left, '\\n'))
  if not older.isLeft then state.left = state.left + 1 end
  older.isLeft = true
  older.topics = left
  count1(older, 1)
  if isValue(older) then
    for _, topic in ipairs(left) do
      redisCall('ZADD', p .. 's:' .. topic, older.seq, older.seq)
      redisCall('ZADD', STOPICS, 0, topic)
    end
    redisCall('ZADD', VALUES, older.seq, older.seq)
  end
  if isState(older) then return true end
  -- Retention has passed it, and would not come back.
  if tonumber(older.seq) <= state.trimmedTo then
    remove(older)
    if older.i and redisCall('HGET', IDS, older.i) == older.seq then redisCall('HDEL', IDS, older.i) end
    recordLoss(older)
  end
  return false
end

local function supersede(entry)
  local place = placeOf(entry)
  local kept = {}
  for seq in string.gmatch(redisCall('HGET', STATES, place) or '', '%d+') do
    local older = get(seq)
    local left = older and leftOf(older, entry)
    if not older then -- Gone already.
    elseif #left == #older.topics then
      kept[#kept + 1] = seq
    elseif #left > 0 then
      if leave(older, left) then kept[#kept + 1] = seq end
    else
      remove(older)
      if older.i then redisCall('ZADD', OLD, entry.seq, older.i) end
    end
  end
  kept[#kept + 1] = entry.seq
  redisCall('HSET', STATES, place, table.concat(kept, ','))
  redisCall('ZADD', p .. 'k:' .. entry.all[1], entry.seq, entry.k)
  setExpiry(place, entry.x)
  if has(entry, 't') then return end
  for _, topic in ipairs(entry.topics) do
    redisCall('ZADD', p .. 's:' .. topic, entry.seq, entry.seq)
    redisCall('ZADD', STOPICS, 0, topic)
  end
  redisCall('ZADD', VALUES, entry.seq, entry.seq)
end

-- The key changed longest ago goes first.
local function boundKeys(topic, most)
  for _ = 1, trimStep do
    if redisCall('ZCARD', p .. 'k:' .. topic) <= most then return end
    local key = redisCall('ZRANGE', p .. 'k:' .. topic, 0, 0)[1]
    for seq in string.gmatch(redisCall('HGET', STATES, topic .. '\\n' .. key) or '', '%d+') do
      local entry = get(seq)
      if entry then lose(entry) end
    end
    redisCall('ZREM', p .. 'k:' .. topic, key)
    redisCall('HDEL', STATES, topic .. '\\n' .. key)
    setExpiry(topic .. '\\n' .. key, nil)
  end
end

local function trimGroup(group, most, events, bytes, age)
  local key = p .. 'b:' .. group
  for _ = 1, most do
    local oldest = redisCall('ZRANGE', key, 0, 0)[1]
    if not oldest then return end
    local size = tonumber(redisCall('HGET', SIZES, group) or 0)
    local isFull = (events >= 0 and redisCall('ZCARD', key) > events) or (bytes >= 0 and size > bytes)
    if not isFull and age < 0 then return end
    local entry = get(oldest)
    if not entry then redisCall('ZREM', key, oldest)
    elseif isFull or now - tonumber(entry.m) > age then lose(entry)
    else return end
  end
end

local OPTIONAL = { 'y', 'i', 'k', 'f', 'g', 'q', 'x', 'w' }
local timeOfCall = text(now)

-- Puts an event at the head.
local function add(entry, supersededIds, most, bounds)
  state.head = state.head + 1
  entry.seq = text(state.head)
  entry.m = timeOfCall
  entry.isLeft = false
  entry.all = split(entry.t)
  entry.topics = entry.all
  local fields = { 'm', entry.m, 't', entry.t, 's', entry.s, 'd', entry.d }
  for _, name in ipairs(OPTIONAL) do
    if entry[name] then fields[#fields + 1] = name; fields[#fields + 1] = entry[name] end
  end
  redisCall('XADD', LOG, entry.seq .. '-0', unpack(fields))
  tell(entry.seq, fields)
  state.length = state.length + 1
  for _, topic in ipairs(entry.topics) do
    addTo(topic, entry.seq)
  end
  if entry.i then redisCall('HSET', IDS, entry.i, entry.seq) end
  for _, id in ipairs(supersededIds ~= '' and split(supersededIds) or {}) do
    if redisCall('HSETNX', IDS, id, entry.seq) == 1 then redisCall('ZADD', OLD, entry.seq, id) end
  end
  count1(entry, 1)
  if has(entry, 's') then
    supersede(entry)
    boundKeys(entry.all[1], most)
  end
  if entry.g then
    redisCall('ZADD', p .. 'b:' .. entry.g, entry.seq, entry.seq)
    redisCall('ZADD', BOUNDED, 0, entry.g)
    redisCall('HINCRBY', SIZES, entry.g, entry.s)
    trimGroup(entry.g, trimStep, bounds[1], bounds[2], bounds[3])
  end
end

-- The events of a key, the newest last.
local function valuesOf(place)
  local values = {}
  for seq in string.gmatch(redisCall('HGET', STATES, place) or '', '%d+') do
    local entry = get(seq)
    if entry then values[#values + 1] = entry end
  end
  return values
end

local function newestOf(place)
  local seq = string.match(redisCall('HGET', STATES, place) or '', '%d+$')
  return seq and get(seq)
end

-- A tombstone on all topics of the key's values.
local function expire(place)
  local values = valuesOf(place)
  local newest = values[#values]
  if not newest or has(newest, 't') then return end
  local topics, states, known, isPrivate, size = {}, '', {}, true, 204
  for i = #values, 1, -1 do
    local value = values[i]
    isPrivate = isPrivate and has(value, 'p')
    local rule = {}
    for j, topic in ipairs(value.all) do rule[topic] = string.sub(value.q, j, j) end
    for _, topic in ipairs(value.topics) do
      if not known[topic] then
        known[topic] = true
        topics[#topics + 1] = topic
        states = states .. rule[topic]
        size = size + #topic
      end
    end
  end
  local isHubs = has(newest, 'h')
  add({ t = table.concat(topics, '\\n'), y = newest.y, d = 'null', k = newest.k, s = tostring(size), q = states,
    f = 'st' .. (isPrivate and 'p' or '') .. (isHubs and 'h' or ''), g = isHubs and HUBS or nil },
    '', math.huge, { ${hubsEvents}, ${hubsBytes}, ${hubsAge} })
end

-- Drops what a call has left that an error ended half-way: nobody was told that it is in the log, and nobody has read it.
local function dropLeftovers()
  for _, raw in ipairs(redisCall('XRANGE', LOG, '(' .. text(state.head) .. '-0', '+')) do
    local entry = toEntry(raw)
    count1(entry, 1)
    -- What ended the call may do so again.
    pcall(remove, entry)
    pcall(leavePlace, entry)
    for _, id in ipairs(entry.n and idsOf(entry.i) or { entry.i }) do
      local seq = id ~= '' and redisCall('HGET', IDS, id)
      if seq and tonumber(seq) > state.head then redisCall('HDEL', IDS, id) end
    end
  end
  local info = redis.pcall('XINFO', 'STREAM', LOG)
  for i = 1, info.err and 0 or #info, 2 do
    -- Redis takes no id a second time.
    if info[i] == 'last-generated-id' then
      state.head = math.max(state.head, tonumber(string.match(info[i + 1], '^%d+')))
    end
  end
end

-- Somebody else has changed the stream, or a call ended half-way: events may be gone, of whatever topics.
local function mend()
  dropLeftovers()
  length = redisCall('XLEN', LOG)
  -- Nobody knows how many events each entry had that is gone.
  if length < before.length then
    state.bytes = math.floor(state.bytes * length / before.length)
    state.events = math.floor(state.events * length / before.length)
  end
  state.length = length
  state.newestLoss = math.max(state.newestLoss, headBefore)
  state.lossCount = state.lossCount + 1
  for _, tally in ipairs({ PUBLIC, PRIVATE }) do
    for _, name in ipairs({ 'Loss', 'ForgottenSeq' }) do state[tally.name .. name] = state.newestLoss end
    for _, name in ipairs({ 'Count', 'ForgottenCount' }) do state[tally.name .. name] = state.lossCount end
  end
  removed = true
end

redisCall('HSET', META, 'busy', '1')
if isBroken then mend() end

if expiring and tonumber(expiryBefore) <= now then
  for _, place in ipairs(redisCall('ZRANGEBYSCORE', TTLS, '-inf', text(now), 'LIMIT', 0, trimStep)) do
    setExpiry(place, nil)
    expire(place)
  end
end

-- Plain events have none of these, and one argument instead of many: see 'toArguments'.
local PLAIN = { flags = '', group = '', states = '', keys = '', ifSeq = '', ttl = '', interval = '', waited = '', ids = '',
  key = '' }
local ORDER = { 'flags', 'events', 'bytes', 'age', 'group', 'states', 'keys', 'ifSeq', 'ttl', 'interval', 'waited', 'count' }
local specials = {}
local PACK = string.byte('*')
local function specialOf(at)
  local text = ARGV[at + 5]
  if text == '' or string.byte(text) == PACK then return PLAIN end
  if specials[at] then return specials[at] end
  local special, from = {}, 1
  for _, name in ipairs(ORDER) do
    local stop = string.find(text, '\\n', from, true)
    special[name] = string.sub(text, from, stop - 1)
    from = stop + 1
  end
  local ids = {}
  for i = 1, tonumber(special.count) do
    local stop = string.find(text, '\\n', from, true)
    ids[i] = string.sub(text, from, stop - 1)
    from = stop + 1
  end
  special.ids = table.concat(ids, '\\n')
  special.key = string.sub(text, from)
  specials[at] = special
  return special
end

local function knownId(at) return ARGV[at + 3] ~= '' and redisCall('HGET', IDS, ARGV[at + 3]) end

local function placeAt(at) return string.match(ARGV[at], '^[^\\n]+') .. '\\n' .. specialOf(at).key end

-- The seq of the value that an event's condition names wrongly; nil if it holds.
local function conflict(at)
  local ifSeq = specialOf(at).ifSeq
  if ifSeq == '' or knownId(at) then return nil end
  local newest = newestOf(placeAt(at))
  local isGone = not newest or has(newest, 't') or (newest.x and tonumber(newest.x) <= now)
  local seq = isGone and '0' or newest.seq
  if seq ~= ifSeq or epoch ~= expectedEpoch then return seq end
  return nil
end

-- Whether an event has to wait, or comes after one that was published later: the answer, or nil.
local function pace(at, published)
  local newest = newestOf(placeAt(at))
  if not newest then return nil end
  if tonumber(newest.w or newest.m) > published then return '-' .. newest.seq end
  local wait = tonumber(newest.m) + tonumber(specialOf(at).interval) - now
  return wait > 0 and 'w' .. text(wait) .. ',' .. newest.seq or nil
end

-- A pack without the events that the log has already. The answers: see batch.ts.
local function appendPack(at)
  local lists, header, ids, size = ARGV[at], ARGV[at + 1], ARGV[at + 3], tonumber(ARGV[at + 4])
  local n, flags = string.match(ARGV[at + 5], '^%*(%d+)(.*)$')
  n = tonumber(n)
  local answers, fresh, new = nil, n, {}
  if ids ~= '' then
    local names, mine, known = idsOf(ids), {}, false
    answers, fresh = {}, 0
    for i, id in ipairs(names) do
      local seq = id ~= '' and (mine[id] or redisCall('HGET', IDS, id))
      if seq then
        known = true
        answers[i] = '-' .. seq
      else
        fresh = fresh + 1
        seq = text(state.head + fresh)
        answers[i] = seq
        if id ~= '' then
          mine[id] = seq
          new[#new + 1] = id
          new[#new + 1] = seq
        end
      end
    end
    if known then
      local nth = 0
      header = string.gsub(header, EVENT_OF_PACK, function(bytes, list, rest)
        nth = nth + 1
        if string.byte(answers[nth]) ~= 45 then return nil end
        size = size - tonumber(bytes)
        return bytes .. ' 0 ' .. rest
      end)
    else
      answers = nil
    end
    if fresh == 0 then return table.concat(answers, ';') end
  end
  local first = text(state.head + 1)
  state.head = state.head + fresh
  local seq = text(state.head)
  local fields = { 'n', text(fresh), 'm', timeOfCall, 't', lists, 's', text(size), 'h', header, 'd', ARGV[at + 2] }
  if ids ~= '' then fields[#fields + 1] = 'i'; fields[#fields + 1] = ids end
  if flags ~= '' then fields[#fields + 1] = 'f'; fields[#fields + 1] = flags end
  redisCall('XADD', LOG, seq .. '-0', unpack(fields))
  tell(seq, fields)
  state.length = state.length + 1
  state.events = state.events + fresh
  state.bytes = state.bytes + size
  for _, topic in ipairs(topicsOf(lists)) do addTo(topic, seq) end
  if #new > 0 then redisCall('HSET', IDS, unpack(new)) end
  return answers and table.concat(answers, ';') or first
end

local function append(at)
  if string.byte(ARGV[at + 5]) == PACK then return appendPack(at) end
  local known = knownId(at)
  if known then return '-' .. known end
  local entry = { t = ARGV[at], d = ARGV[at + 2], s = ARGV[at + 4] }
  local special = specialOf(at)
  if special.interval ~= '' then
    local waited = tonumber(special.waited)
    local early = pace(at, now - waited)
    if early then return early end
    if waited > 0 then entry.w = text(now - waited) end
  end
  if ARGV[at + 1] ~= '' then entry.y = ARGV[at + 1] end
  if ARGV[at + 3] ~= '' then entry.i = ARGV[at + 3] end
  if special == PLAIN then
    add(entry, '')
    return entry.seq
  end
  if special.key ~= '' then entry.k = special.key end
  if special.flags ~= '' then entry.f = special.flags end
  if special.group ~= '' then entry.g = special.group end
  if special.states ~= '' then entry.q = special.states end
  if special.ttl ~= '' then entry.x = text(now + tonumber(special.ttl)) end
  add(entry, special.ids, tonumber(special.keys),
    { tonumber(special.events), tonumber(special.bytes), tonumber(special.age) })
  return entry.seq
end

local answer = {}
-- The calls follow the events: how many each has.
local at, calls = FIRST, FIRST + count * FIELDS
for c = 1, callCount do
  local length = tonumber(ARGV[calls + c - 1])
  local culprit, seq
  for i = 0, length - 1 do
    if not culprit then
      seq = conflict(at + i * FIELDS)
      if seq then culprit = i end
    end
  end
  for i = 0, length - 1 do
    answer[#answer + 1] = culprit and 'x' .. culprit .. ',' .. seq or append(at + i * FIELDS)
  end
  at = at + length * FIELDS
end

indexAdded()
local function forgetIds(ids)
  for _, id in ipairs(ids) do
    redisCall('ZREM', OLD, id)
    redisCall('HDEL', IDS, id)
  end
end
if redisCall('ZCARD', OLD) > 0 then
  forgetIds(redisCall('ZRANGEBYSCORE', OLD, '-inf', text(state.head - idWindow), 'LIMIT', 0, trimStep))
  local tooMany = math.min(redisCall('ZCARD', OLD) - idWindow, trimStep)
  if tooMany > 0 then forgetIds(redisCall('ZRANGE', OLD, 0, tooMany - 1)) end
end

local function trimLog()
  local most, step = state.head - headBefore + trimStep, 1
  while most > 0 and (isFull() or maxAge >= 0) do
    -- Reading more than will go costs as much again. Where values stay, it has to read on.
    local perEntry = math.max(1, state.events / math.max(1, state.length))
    local tooMany = math.max(step, math.min(256, maxEvents >= 0 and state.events - maxEvents or 1))
    local limit = math.ceil(math.min(most, tooMany) / perEntry)
    local page = redisCall('XRANGE', LOG, '(' .. text(state.trimmedTo) .. '-0', '+', 'COUNT', limit)
    for _, raw in ipairs(page) do
      local entry = toEntry(raw)
      local isOld = maxAge >= 0 and now - tonumber(entry.m) > maxAge
      if not isFull() and not isOld then return end
      if entry.n then
        losePack(entry, isOld)
        most = most - tonumber(entry.n)
      else
        state.trimmedTo = tonumber(entry.seq)
        if not isValue(entry) then lose(entry) end
        most = most - 1
      end
    end
    if #page < limit then return end
    step = math.min(256, 2 * step)
  end
end
trimLog()

-- Groups that nobody publishes to, four arguments each.
for i = FIRST + count * FIELDS + callCount, #ARGV, 4 do
  trimGroup(ARGV[i], trimStep, tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]))
end

for _, tally in ipairs({ PUBLIC, PRIVATE }) do
  local records, seq, count = tally.name .. 'Records', tally.name .. 'ForgottenSeq', tally.name .. 'ForgottenCount'
  for _, topic in ipairs(tally.topics) do
    local newest = tally.now[topic]
    local before = redisCall('HGET', tally.lost, topic)
    if before then newest[1] = math.max(newest[1], tonumber(before)) else state[records] = state[records] + 1 end
    redisCall('HSET', tally.lost, topic, text(newest[1]))
    redisCall('ZADD', tally.losses, text(newest[2]), topic)
  end
  if state[records] > maxLosses then
    local forgotten = redisCall('ZRANGE', tally.losses, 0, state[records] - maxLosses - 1, 'WITHSCORES')
    for i = 1, #forgotten, 2 do
      state[seq] = math.max(state[seq], tonumber(redisCall('HGET', tally.lost, forgotten[i])))
      state[count] = math.max(state[count], tonumber(forgotten[i + 1]))
      redisCall('HDEL', tally.lost, forgotten[i])
      redisCall('ZREM', tally.losses, forgotten[i])
      state[records] = state[records] - 1
    end
  end
end

if removed then
  local oldest = redisCall('XRANGE', LOG, '-', '+', 'COUNT', 1)[1]
  local entry = oldest and toEntry(oldest)
  state.floor = entry and tonumber(entry.seq) - tonumber(entry.n or 1) or state.head
  if entry and entry.n then state.floor = math.max(state.floor, state.trimmedTo) end
end

state.busy = 0
local fields = {}
for _, name in ipairs(NAMES) do
  if state[name] ~= before[name] or name == 'busy' then fields[#fields + 1] = name; fields[#fields + 1] = text(state[name]) end
end
redisCall('HSET', META, unpack(fields))
if expiring then
  nextExpiry = redisCall('ZRANGE', TTLS, 0, 0, 'WITHSCORES')[2]
  if not nextExpiry then
    redisCall('HDEL', META, 'nextExpiry')
  elseif nextExpiry ~= expiryBefore then
    redisCall('HSET', META, 'nextExpiry', nextExpiry)
  end
end
if state.head > headBefore then
  -- Of events that retention has taken at once, followers learn by reading.
  if news and state.newestLoss <= headBefore then
    local after = { text(headBefore), text(state.floor), text(state.newestLoss), text(state.lossCount), text(state.left),
      nextExpiry or '' }
    wake(text(state.head) .. '-0', 'epoch', epoch, 'by', writer, 'after', table.concat(after, ' '), unpack(news))
  else
    wake(text(state.head) .. '-0', 'epoch', epoch, 'by', writer)
  end
end
if count > 0 then
  if writer ~= '' then
    redisCall('HSET', p .. 'w:' .. writer, 'call', call, 'answer', cjson.encode(answer))
  end
end
return reply(answer)
`;
