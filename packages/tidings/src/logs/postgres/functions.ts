import { HUBS_BOUNDS, TAG_PREFIX } from '../../log/index.ts';
import { EVENT, FORWARDS, STATE, fittingRows } from './queries.ts';
import { topicKey } from './records.ts';

/** The group of the hub's own events, in a text with escapes. */
const HUBS = topicKey(HUBS_BOUNDS.group).replace('\u0001', '\\001');

/** The character that tags begin with. */
const TAG = TAG_PREFIX.charCodeAt(0);

/**
 * The functions that change a log, in one file because they are one program: `append` does all of a group's work in one
 * statement, so the head row is locked for as long as that takes and its commit. Seqs are therefore given in the order
 * of commits. Longer than other files for that reason.
 *
 * They look things up by index even where a table's statistics are old, and see what was committed before they got the
 * lock, since each statement of theirs has a snapshot of its own (`READ COMMITTED`).
 */
export const FUNCTIONS: string = `
-- Takes events out of the log; as a loss, or because newer values have superseded them. Their ids are forgotten with a
-- loss only.
CREATE OR REPLACE FUNCTION SCHEMA.take(INOUT s SCHEMA.head, _seqs bigint[], _is_loss boolean)
LANGUAGE plpgsql AS $$
DECLARE
  taken record;
BEGIN
  WITH gone AS (
    DELETE FROM SCHEMA.events WHERE seq = ANY (_seqs)
    RETURNING seq, coalesce(keys, topics) AS keys, size, counted, value, home, grp, id,
      coalesce(flags, '') LIKE '%p%' AS private
  ), numbered AS (
    SELECT seq, keys, private, s.loss_count + row_number() OVER (ORDER BY seq) AS nth FROM gone
  ), topics AS (
    SELECT each.topic, each.at, seq, private, nth
    FROM numbered, string_to_table(keys, E'\\n') WITH ORDINALITY AS each(topic, at)
  ), unindexed AS (
    DELETE FROM SCHEMA.more m USING topics t WHERE t.at > 1 AND m.topic = t.topic AND m.seq = t.seq
  ), forgotten AS (
    DELETE FROM SCHEMA.ids i USING gone
    WHERE _is_loss AND gone.id IS NOT NULL AND i.id = gone.id AND i.seq = gone.seq
    RETURNING i.superseded_by
  ), recorded AS (
    INSERT INTO SCHEMA.losses AS l (private, topic, seq, count)
    -- Nobody asks for tags, which are often unique: they would crowd out topics.
    SELECT private, topic, max(seq), max(nth) FROM topics WHERE _is_loss AND ascii(topic) <> ${TAG} GROUP BY private, topic
    ON CONFLICT (private, topic) DO UPDATE SET seq = greatest(l.seq, excluded.seq), count = excluded.count
    RETURNING private, xmax = 0 AS is_new
  ), fewer AS (
    SELECT name, count(*) AS events, sum(size) AS bytes FROM (
      SELECT 'g' || grp AS name, size FROM gone WHERE grp IS NOT NULL
      UNION ALL SELECT 'k' || home, 0 FROM gone WHERE value
    ) AS each GROUP BY name
  ), counted AS (
    UPDATE SCHEMA.counts c SET events = c.events - fewer.events, bytes = c.bytes - fewer.bytes
    FROM fewer WHERE c.name = fewer.name
    RETURNING c.name, c.events
  )
  SELECT count(*) AS events, coalesce(max(seq), 0) AS newest,
    count(*) FILTER (WHERE counted) AS counted, coalesce(sum(size) FILTER (WHERE counted), 0) AS bytes,
    count(*) FILTER (WHERE value) AS value_count,
    (SELECT ARRAY[count(*) FILTER (WHERE NOT private), count(*) FILTER (WHERE private)] FROM recorded WHERE is_new)
      AS records,
    coalesce(max(seq) FILTER (WHERE NOT private), 0) AS newest_public,
    coalesce(max(seq) FILTER (WHERE private), 0) AS newest_private,
    (SELECT ARRAY[max(nth) FILTER (WHERE NOT private), max(nth) FILTER (WHERE private)] FROM numbered) AS counts,
    (SELECT count(*) FROM forgotten WHERE superseded_by IS NOT NULL) AS old_ids,
    (SELECT array_agg(name) FROM counted WHERE counted.events <= 0) AS empty
  INTO taken FROM gone;
  IF taken.empty IS NOT NULL THEN DELETE FROM SCHEMA.counts WHERE name = ANY (taken.empty); END IF;
  s.events := s.events - taken.counted;
  s.bytes := s.bytes - taken.bytes;
  s.value_count := s.value_count - taken.value_count;
  s.old_ids := s.old_ids - taken.old_ids;
  IF _is_loss THEN
    s.loss_count := s.loss_count + taken.events;
    s.newest_loss := greatest(s.newest_loss, taken.newest);
    s.public_records := s.public_records + (taken.records)[1];
    s.public_loss := greatest(s.public_loss, taken.newest_public);
    s.public_count := greatest(s.public_count, (taken.counts)[1]);
    s.private_records := s.private_records + (taken.records)[2];
    s.private_loss := greatest(s.private_loss, taken.newest_private);
    s.private_count := greatest(s.private_count, (taken.counts)[2]);
  END IF;
END $$;

-- Forgets the names of topics that lost something longest ago.
CREATE OR REPLACE FUNCTION SCHEMA.forget_losses(
  _private boolean, _most bigint, OUT records bigint, OUT newest bigint, OUT counted bigint
) LANGUAGE plpgsql AS $$
BEGIN
  WITH gone AS (
    DELETE FROM SCHEMA.losses l WHERE l.private = _private AND l.topic IN (
      SELECT f.topic FROM SCHEMA.losses f WHERE f.private = _private ORDER BY f.count LIMIT _most
    ) RETURNING l.seq, l.count
  ) SELECT count(*), coalesce(max(gone.seq), 0), coalesce(max(gone.count), 0) INTO records, newest, counted FROM gone;
END $$;

-- Takes a newer value's topics from the older values of its key, and from the log those that have none left.
CREATE OR REPLACE FUNCTION SCHEMA.supersede(INOUT s SCHEMA.head, _newer SCHEMA.events)
LANGUAGE plpgsql AS $$
DECLARE
  older SCHEMA.events;
  left_of record;
  newer_topics text[] := string_to_array(_newer.topics, E'\\n');
  is_private boolean := _newer.flags LIKE '%p%';
  stays boolean;
BEGIN
  FOR older IN
    SELECT * FROM SCHEMA.events
    WHERE home = _newer.home AND key = _newer.key AND kept AND seq < _newer.seq ORDER BY seq
  LOOP
    -- Only the newest value of a key says when it expires.
    IF older.due THEN UPDATE SCHEMA.events SET due = false WHERE seq = older.seq; END IF;
    -- Some of its readers may not read the newer one.
    CONTINUE WHEN is_private AND older.flags NOT LIKE '%p%';
    SELECT count(*) AS topics, array_agg(k ORDER BY at) AS keys,
      string_agg(t, E'\\n' ORDER BY at) AS joined, string_agg(k, E'\\n' ORDER BY at) AS joined_keys,
      string_agg(substr(older.states, at::integer, 1), '' ORDER BY at) AS states
    INTO left_of
    FROM ROWS FROM (string_to_table(older.topics, E'\\n'), string_to_table(coalesce(older.keys, older.topics), E'\\n'))
      WITH ORDINALITY AS each(t, k, at)
    WHERE t <> ALL (newer_topics);
    CONTINUE WHEN left_of.joined = older.topics;
    IF left_of.topics = 0 THEN
      s := SCHEMA.take(s, ARRAY[older.seq], false);
      IF older.id IS NOT NULL THEN
        UPDATE SCHEMA.ids SET superseded_by = _newer.seq WHERE id = older.id AND superseded_by IS NULL;
        IF FOUND THEN s.old_ids := s.old_ids + 1; END IF;
      END IF;
      CONTINUE;
    END IF;
    stays := left_of.states LIKE '%1%';
    DELETE FROM SCHEMA.more
    WHERE seq = older.seq AND topic = ANY (string_to_array(coalesce(older.keys, older.topics), E'\\n'))
      AND topic <> ALL (left_of.keys[2:]);
    IF older.value AND NOT stays THEN
      UPDATE SCHEMA.more SET value = false WHERE seq = older.seq AND topic = ANY (left_of.keys);
      s.value_count := s.value_count - 1;
      UPDATE SCHEMA.counts SET events = events - 1 WHERE name = 'k' || older.home;
      DELETE FROM SCHEMA.counts WHERE name = 'k' || older.home AND events <= 0;
      IF NOT older.counted THEN
        s.events := s.events + 1;
        s.bytes := s.bytes + older.size;
      END IF;
    END IF;
    UPDATE SCHEMA.events SET topics = left_of.joined, canonical = coalesce(older.canonical, split_part(older.topics, E'\\n', 1)),
      keys = left_of.joined_keys, topic = left_of.keys[1], states = left_of.states,
      kept = stays, value = older.value AND stays, counted = older.counted OR NOT stays
    WHERE seq = older.seq;
    -- As an event like any other, it may be older than all that retention has left.
    IF NOT stays AND older.seq <= s.trimmed_to THEN s := SCHEMA.take(s, ARRAY[older.seq], true); END IF;
  END LOOP;
END $$;

-- Takes what new values supersede. Where all events of a key are on the same topics, and all or none are private, only
-- the newest is left: these go at once.
CREATE OR REPLACE FUNCTION SCHEMA.supersede_all(INOUT s SCHEMA.head, _seqs bigint[])
LANGUAGE plpgsql AS $$
DECLARE
  found record;
  newer SCHEMA.events;
BEGIN
  INSERT INTO SCHEMA.counts AS c (name, events, bytes)
  SELECT 'k' || e.home, count(*), 0 FROM SCHEMA.events e WHERE e.seq = ANY (_seqs) AND e.value GROUP BY e.home
  ON CONFLICT (name) DO UPDATE SET events = c.events + excluded.events;
  WITH places AS (
    SELECT DISTINCT e.home, e.key FROM SCHEMA.events e WHERE e.seq = ANY (_seqs)
  ), kept AS (
    SELECT e.seq, e.id, lead(e.seq) OVER w AS next,
      min(e.topics) OVER p = max(e.topics) OVER p
        AND bool_and(e.flags LIKE '%p%') OVER p = bool_or(e.flags LIKE '%p%') OVER p AS is_simple
    FROM places JOIN SCHEMA.events e ON e.home = places.home AND e.key = places.key AND e.kept
    WINDOW p AS (PARTITION BY e.home, e.key), w AS (PARTITION BY e.home, e.key ORDER BY e.seq)
  ), remembered AS (
    UPDATE SCHEMA.ids i SET superseded_by = kept.next FROM kept
    WHERE kept.is_simple AND kept.next IS NOT NULL AND kept.id IS NOT NULL AND i.id = kept.id AND i.superseded_by IS NULL
    RETURNING i.id
  )
  SELECT array_agg(seq) FILTER (WHERE is_simple AND next IS NOT NULL) AS older,
    array_agg(seq) FILTER (WHERE NOT is_simple) AS others, (SELECT count(*) FROM remembered) AS old_ids
  INTO found FROM kept;
  s.old_ids := s.old_ids + found.old_ids;
  IF found.older IS NOT NULL THEN s := SCHEMA.take(s, found.older, false); END IF;
  FOR newer IN
    SELECT * FROM SCHEMA.events e WHERE e.seq = ANY (found.others) AND e.seq = ANY (_seqs) ORDER BY e.seq
  LOOP
    s := SCHEMA.supersede(s, newer);
  END LOOP;
END $$;

-- Deletes keys whose time has come: by a tombstone on all topics of their values, the newest value's first.
CREATE OR REPLACE FUNCTION SCHEMA.expire(INOUT s SCHEMA.head, _most integer)
LANGUAGE plpgsql AS $$
DECLARE
  newest SCHEMA.events;
  values_of record;
  deleted SCHEMA.events;
BEGIN
  FOR newest IN
    SELECT * FROM SCHEMA.events WHERE due AND expires_at <= s.time ORDER BY expires_at LIMIT _most
  LOOP
    SELECT string_agg(t, E'\\n' ORDER BY rank, at) AS topics, string_agg(k, E'\\n' ORDER BY rank, at) AS keys,
      array_agg(k ORDER BY rank, at) AS names, string_agg(state, '' ORDER BY rank, at) AS states,
      sum(char_length(t)) AS length, bool_and(is_private) AS is_private
    INTO values_of FROM (
      SELECT DISTINCT ON (t) t, k, substr(e.states, at::integer, 1) AS state, at,
        CASE WHEN e.seq = newest.seq THEN 0 ELSE e.seq END AS rank,
        bool_and(e.flags LIKE '%p%') OVER () AS is_private
      FROM SCHEMA.events e, ROWS FROM (
        string_to_table(e.topics, E'\\n'), string_to_table(coalesce(e.keys, e.topics), E'\\n')
      ) WITH ORDINALITY AS each(t, k, at)
      WHERE e.home = newest.home AND e.key = newest.key AND e.kept
      ORDER BY t, CASE WHEN e.seq = newest.seq THEN 0 ELSE e.seq END
    ) AS topics;
    s.head := s.head + 1;
    INSERT INTO SCHEMA.events (seq, time, topics, keys, topic, type, data, key, flags, size, counted, home, kept, value,
      states, grp)
    VALUES (s.head, s.time, values_of.topics, values_of.keys, values_of.names[1], newest.type, 'null', newest.key,
      'st' || CASE WHEN values_of.is_private THEN 'p' ELSE '' END || CASE WHEN newest.flags LIKE '%h%' THEN 'h' ELSE '' END,
      204 + values_of.length, newest.flags NOT LIKE '%h%', newest.home, true, false, values_of.states,
      CASE WHEN newest.flags LIKE '%h%' THEN E'${HUBS}' END)
    RETURNING * INTO deleted;
    INSERT INTO SCHEMA.more (topic, seq, value) SELECT unnest(values_of.names[2:]), s.head, false;
    IF deleted.counted THEN
      s.events := s.events + 1;
      s.bytes := s.bytes + deleted.size;
    ELSE
      INSERT INTO SCHEMA.counts AS c VALUES (E'g${HUBS}', 1, deleted.size)
      ON CONFLICT (name) DO UPDATE SET events = c.events + 1, bytes = c.bytes + excluded.bytes;
    END IF;
    s := SCHEMA.supersede(s, deleted);
  END LOOP;
END $$;

-- The newest event of a key: of those that this call has appended so far, which have seqs above 0, or of those in the log.
CREATE OR REPLACE FUNCTION SCHEMA.newest(
  s SCHEMA.head, _home text, _key text, _at integer, _previous integer[], _seqs bigint[], _flags text[],
  _waited double precision[], OUT seq bigint, OUT appended double precision, OUT published double precision, OUT value_seq bigint
) LANGUAGE plpgsql AS $$
BEGIN
  _at := _previous[_at];
  WHILE _at IS NOT NULL AND coalesce(_seqs[_at], 0) <= 0 LOOP _at := _previous[_at]; END LOOP;
  IF _at IS NOT NULL THEN
    seq := _seqs[_at];
    appended := s.time;
    published := s.time - coalesce(_waited[_at], 0);
    value_seq := CASE WHEN _flags[_at] LIKE '%t%' THEN 0 ELSE seq END;
    RETURN;
  END IF;
  SELECT e.seq, e.time, coalesce(e.published_at, e.time),
    CASE WHEN e.flags LIKE '%t%' OR e.expires_at <= s.time THEN 0 ELSE e.seq END
  INTO seq, appended, published, value_seq
  FROM SCHEMA.events e WHERE e.home = _home AND e.key = _key AND e.kept ORDER BY e.seq DESC LIMIT 1;
  value_seq := coalesce(value_seq, 0);
END $$;

-- Takes a group's oldest events until it is within its bounds.
CREATE OR REPLACE FUNCTION SCHEMA.trim_group(
  INOUT s SCHEMA.head, _name text, _events double precision, _bytes double precision, _age double precision, _most bigint
) LANGUAGE plpgsql AS $$
DECLARE
  size record;
  doomed bigint[];
  page bigint := 8;
BEGIN
  WHILE _most > 0 LOOP
    SELECT events, bytes INTO size FROM SCHEMA.counts WHERE name = 'g' || _name;
    IF NOT FOUND THEN RETURN; END IF;
    page := least(_most, 1000, greatest(2 * page, size.events - _events));
    SELECT array_agg(seq) INTO doomed FROM (
      SELECT seq, time, row_number() OVER w - 1 AS before, sum(oldest.size) OVER w - oldest.size AS bytes_before
      FROM (SELECT seq, time, e.size FROM SCHEMA.events e WHERE grp = _name ORDER BY seq LIMIT page) AS oldest
      WINDOW w AS (ORDER BY seq)
    ) AS each
    WHERE size.events - before > _events OR size.bytes - bytes_before > _bytes OR s.time - time > _age;
    IF doomed IS NULL THEN RETURN; END IF;
    s := SCHEMA.take(s, doomed, true);
    IF cardinality(doomed) < page THEN RETURN; END IF;
    _most := _most - page;
  END LOOP;
END $$;

-- Takes the oldest events until the log is within its bounds, but leaves the values of keys.
CREATE OR REPLACE FUNCTION SCHEMA.trim_log(
  INOUT s SCHEMA.head, _events double precision, _bytes double precision, _age double precision, _most bigint
) LANGUAGE plpgsql AS $$
DECLARE
  page bigint := 8;
  looked record;
BEGIN
  WHILE _most > 0 AND (s.events > _events OR s.bytes > _bytes OR _age IS NOT NULL) LOOP
    page := least(_most, 1000, greatest(2 * page, s.events - _events));
    SELECT array_agg(seq) FILTER (WHERE NOT value) AS doomed, max(seq) AS last, count(*) AS count INTO looked FROM (
      SELECT seq, time, value,
        count(*) FILTER (WHERE counted) OVER w - counted::integer AS before,
        coalesce(sum(size) FILTER (WHERE counted) OVER w, 0) - size * counted::integer AS bytes_before
      FROM (
        SELECT seq, time, size, counted, value FROM SCHEMA.events WHERE seq > s.trimmed_to ORDER BY seq LIMIT page
      ) AS oldest
      WINDOW w AS (ORDER BY seq)
    ) AS each
    WHERE s.events - before > _events OR s.bytes - bytes_before > _bytes OR s.time - time > _age;
    IF looked.count = 0 THEN RETURN; END IF;
    s.trimmed_to := looked.last;
    IF looked.doomed IS NOT NULL THEN s := SCHEMA.take(s, looked.doomed, true); END IF;
    IF looked.count < page THEN RETURN; END IF;
    _most := _most - page;
  END LOOP;
END $$;

-- Begins a new epoch if the server may have lost the end of the log: the log goes on from the head it has, and
-- remembers where the old epoch ended.
CREATE OR REPLACE FUNCTION SCHEMA.check_view(INOUT s SCHEMA.head, _is_restored boolean)
LANGUAGE plpgsql AS $$
BEGIN
  IF NOT _is_restored AND EXISTS (SELECT FROM SCHEMA.view v WHERE v.written_by::text = v.xmin::text) THEN RETURN; END IF;
  DELETE FROM SCHEMA.view;
  INSERT INTO SCHEMA.view VALUES (pg_current_xact_id()::xid);
  s.lineage := s.lineage || jsonb_build_array(jsonb_build_object('epoch', s.epoch, 'end', s.head));
  IF jsonb_array_length(s.lineage) > 200 THEN s.lineage := s.lineage - 0; END IF;
  s.epoch := left(replace(gen_random_uuid()::text, '-', ''), 16);
  UPDATE SCHEMA.head SET epoch = s.epoch, lineage = s.lineage;
END $$;

-- Makes a process known. Answers with the process that has other settings, if one is there.
CREATE OR REPLACE FUNCTION SCHEMA.open(_node text, _settings text, _is_restored boolean) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  s SCHEMA.head;
  other text;
BEGIN
  INSERT INTO SCHEMA.head (one) VALUES (true) ON CONFLICT DO NOTHING;
  IF FOUND THEN INSERT INTO SCHEMA.view VALUES (pg_current_xact_id()::xid); END IF;
  SELECT * INTO s FROM SCHEMA.head FOR UPDATE;
  -- From a time when the clock was ahead.
  UPDATE SCHEMA.nodes SET seen = clock_timestamp() WHERE seen > clock_timestamp();
  SELECT node INTO other FROM SCHEMA.nodes
  WHERE settings <> _settings AND seen > clock_timestamp() - interval '15 seconds' LIMIT 1;
  IF FOUND THEN RETURN other; END IF;
  s := SCHEMA.check_view(s, _is_restored);
  DELETE FROM SCHEMA.nodes WHERE seen < clock_timestamp() - interval '1 day';
  INSERT INTO SCHEMA.nodes (node, settings, seen) VALUES (_node, _settings, clock_timestamp());
  RETURN NULL;
END $$;

-- Events after a seq, and before them a row with the log's state at that moment: the function has one snapshot. Every process
-- calls it for each notification, and making the plan anew would take longer than reading.
CREATE OR REPLACE FUNCTION SCHEMA.read_on(_after bigint, _rows bigint, _length bigint)
RETURNS TABLE (seq bigint, "time" double precision, topics text, canonical text, type text, data text, id text, key text,
  flags text, expires_at double precision, published_at double precision, total bigint)
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT NULL::bigint, NULL::double precision, ${STATE}, NULL::text, NULL::text, NULL::text, NULL::text,
    NULL::text, NULL::text, NULL::double precision, NULL::double precision, NULL::bigint FROM SCHEMA.head;
  RETURN QUERY ${fittingRows(`SELECT ${EVENT} FROM SCHEMA.events WHERE seq > _after`, FORWARDS, '_rows', '_length')};
END $$;

-- Appends a group, supersedes, expires and trims; without events it only expires and trims.
CREATE OR REPLACE FUNCTION SCHEMA.append(
  _node text, _call bigint, _wait integer, _clock double precision, _is_relaxed boolean, _channel text,
  _max_events double precision, _max_bytes double precision, _max_age double precision,
  _topics text[], _keys text[], _types text[], _datas text[], _ids text[], _names text[], _flags text[],
  _sizes integer[], _states text[], _groups text[], _olds text[], _first integer[], _has_more boolean,
  _state_at integer[], _most double precision[], _ttls double precision[], _if_seqs bigint[],
  _intervals double precision[], _waited double precision[], _previous integer[], _calls integer[], _epoch text,
  _group_names text[], _group_events double precision[], _group_bytes double precision[], _group_ages double precision[],
  _id_window bigint, _max_losses bigint, _moved bigint[],
  OUT answer text, OUT epoch text, OUT head bigint, OUT floor bigint, OUT newest_loss bigint, OUT loss_count bigint,
  OUT at double precision, OUT next_expiry double precision
) LANGUAGE plpgsql SET enable_seqscan = off SET jit = off SET plan_cache_mode = force_generic_plan
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  s SCHEMA.head;
  last record;
  one record;
  seqs bigint[];
  notes text[];
  known bigint[];
  seq_known bigint;
  call_start integer := 0;
  call_length integer;
  culprit integer;
  head_before bigint;
  state_seqs bigint[];
  old_id text;
  total integer := coalesce(cardinality(_topics), 0);
BEGIN
  PERFORM set_config('lock_timeout', _wait::text, true);
  IF _is_relaxed THEN PERFORM set_config('synchronous_commit', 'off', true); END IF;
  SELECT * INTO s FROM SCHEMA.head FOR UPDATE;
  IF NOT FOUND THEN RAISE EXCEPTION 'There is no log in this schema' USING ERRCODE = 'TID01'; END IF;
  s := SCHEMA.check_view(s, false);

  -- A call that is sent again, since its answer got lost, is answered again.
  IF _node IS NOT NULL THEN
    SELECT n.call, n.answer, n.at INTO last FROM SCHEMA.nodes n WHERE n.node = _node;
    -- A standby took over that lacks the process. Without its row, the same call sent again would append again.
    IF NOT FOUND THEN RAISE EXCEPTION 'The process is not known here' USING ERRCODE = 'TID04'; END IF;
    IF last.call = _call THEN
      SELECT last.answer, s.epoch, s.head, s.floor, s.newest_loss, s.loss_count, last.at, s.next_expiry
      INTO answer, epoch, head, floor, newest_loss, loss_count, at, next_expiry;
      RETURN;
    ELSIF last.call > _call THEN
      RAISE EXCEPTION 'The process has appended more in the meantime' USING ERRCODE = 'TID02';
    END IF;
  END IF;

  IF _moved IS NOT NULL THEN
    WITH gone AS (DELETE FROM SCHEMA.outbox WHERE n = ANY (_moved) RETURNING n) SELECT count(*) AS rows INTO last FROM gone;
    IF last.rows <> cardinality(_moved) THEN
      RAISE EXCEPTION 'Another process has moved these events' USING ERRCODE = 'TID03';
    END IF;
  END IF;

  -- The log's time never goes back: where the clock was set back, it goes on from where it was.
  _clock := coalesce(_clock, floor(extract(epoch FROM clock_timestamp()) * 1000));
  IF _clock + s.ahead >= s.time THEN s.time := _clock + s.ahead; ELSE s.ahead := s.time - _clock; END IF;

  head_before := s.head;
  IF s.next_expiry <= s.time THEN s := SCHEMA.expire(s, 1000); END IF;

  IF _olds IS NOT NULL OR _if_seqs IS NOT NULL OR _intervals IS NOT NULL THEN
    -- An array begins where it is first written to.
    notes := array_fill(NULL::text, ARRAY[total]);
    FOREACH call_length IN ARRAY _calls LOOP
      culprit := NULL;
      FOR n IN call_start + 1..call_start + call_length LOOP
        CONTINUE WHEN _if_seqs[n] IS NULL OR EXISTS (SELECT FROM SCHEMA.ids i WHERE i.id = _ids[n]);
        one := SCHEMA.newest(s, split_part(coalesce(_keys[n], _topics[n]), E'\\n', 1), _names[n], n, _previous, seqs,
          _flags, _waited);
        IF one.value_seq <> _if_seqs[n] OR s.epoch <> _epoch THEN
          culprit := n - call_start - 1;
          EXIT;
        END IF;
      END LOOP;
      FOR n IN call_start + 1..call_start + call_length LOOP
        seqs[n] := 0;
        IF culprit IS NOT NULL THEN
          notes[n] := 'x' || culprit || ',' || one.value_seq;
          CONTINUE;
        END IF;
        SELECT i.seq INTO seq_known FROM SCHEMA.ids i WHERE i.id = _ids[n];
        IF FOUND THEN seqs[n] := -seq_known; CONTINUE; END IF;
        IF _intervals[n] IS NOT NULL THEN
          last := SCHEMA.newest(s, split_part(coalesce(_keys[n], _topics[n]), E'\\n', 1), _names[n], n, _previous, seqs,
            _flags, _waited);
          IF last.published > s.time - _waited[n] THEN seqs[n] := -last.seq; CONTINUE; END IF;
          IF last.appended + _intervals[n] > s.time THEN
            notes[n] := 'w' || last.appended + _intervals[n] - s.time || ',' || last.seq;
            CONTINUE;
          END IF;
        END IF;
        s.head := s.head + 1;
        seqs[n] := s.head;
        IF _ids[n] IS NOT NULL THEN INSERT INTO SCHEMA.ids (id, seq) VALUES (_ids[n], s.head); END IF;
        FOREACH old_id IN ARRAY string_to_array(coalesce(_olds[n], ''), E'\\n') LOOP
          INSERT INTO SCHEMA.ids (id, seq, superseded_by) VALUES (old_id, s.head, s.head) ON CONFLICT DO NOTHING;
          IF FOUND THEN s.old_ids := s.old_ids + 1; END IF;
        END LOOP;
      END LOOP;
      call_start := call_start + call_length;
    END LOOP;
  ELSIF _ids IS NOT NULL THEN
    known := ARRAY(
      SELECT i.seq FROM unnest(_ids) WITH ORDINALITY AS given(id, n) LEFT JOIN SCHEMA.ids i ON i.id = given.id ORDER BY n
    );
    FOR n IN 1..total LOOP
      IF known[n] IS NOT NULL THEN seqs[n] := -known[n];
      ELSIF _first[n] IS NOT NULL THEN seqs[n] := -abs(seqs[_first[n]]);
      ELSE
        s.head := s.head + 1;
        seqs[n] := s.head;
      END IF;
    END LOOP;
    INSERT INTO SCHEMA.ids (id, seq)
    SELECT given.id, given.seq FROM unnest(_ids, seqs) AS given(id, seq) WHERE given.seq > 0 AND given.id IS NOT NULL;
  ELSE
    seqs := ARRAY(SELECT s.head + n FROM generate_series(1, total) AS n);
    s.head := s.head + total;
  END IF;

  IF total > 0 THEN
    INSERT INTO SCHEMA.events (seq, time, topics, keys, topic, type, data, id, key, flags, size, counted,
      home, kept, value, states, grp, expires_at, due, published_at)
    SELECT given.seq, s.time, topics, keys, split_part(coalesce(keys, topics), E'\\n', 1), type, data, id, key, flags, size,
      flags IS NULL OR (flags NOT LIKE '%h%' AND (flags NOT LIKE '%s%' OR flags LIKE '%t%')),
      CASE WHEN states IS NOT NULL THEN split_part(coalesce(keys, topics), E'\\n', 1) END,
      states IS NOT NULL, states IS NOT NULL AND flags NOT LIKE '%t%', states, grp,
      s.time + ttl, ttl IS NOT NULL, CASE WHEN waited > 0 THEN s.time - waited END
    FROM unnest(_topics, _keys, _types, _datas, _ids, _names, _flags, _sizes, _states, _groups, _ttls, _waited, seqs)
      AS given(topics, keys, type, data, id, key, flags, size, states, grp, ttl, waited, seq)
    WHERE given.seq > 0;
    SELECT count(*) FILTER (WHERE counted) AS events, coalesce(sum(size) FILTER (WHERE counted), 0) AS bytes,
      count(*) FILTER (WHERE value) AS value_count
    INTO one FROM (
      SELECT size,
        flags IS NULL OR (flags NOT LIKE '%h%' AND (flags NOT LIKE '%s%' OR flags LIKE '%t%')) AS counted,
        flags IS NOT NULL AND flags LIKE '%s%' AND flags NOT LIKE '%t%' AS value
      FROM unnest(_flags, _sizes, seqs) AS given(flags, size, seq) WHERE given.seq > 0
    ) AS each;
    s.events := s.events + one.events;
    s.bytes := s.bytes + one.bytes;
    IF one.value_count > 0 AND s.value_count = 0 THEN s.oldest_value := s.head - total; END IF;
    s.value_count := s.value_count + one.value_count;
  END IF;

  IF _has_more THEN
    INSERT INTO SCHEMA.more (topic, seq, value)
    SELECT each.topic, given.seq, states IS NOT NULL AND flags NOT LIKE '%t%'
    FROM unnest(_topics, _keys, _flags, _states, seqs) AS given(topics, keys, flags, states, seq),
      string_to_table(coalesce(keys, topics), E'\\n') WITH ORDINALITY AS each(topic, n)
    WHERE given.seq > 0 AND each.n > 1;
  END IF;

  IF _groups IS NOT NULL THEN
    INSERT INTO SCHEMA.counts AS c (name, events, bytes)
    SELECT 'g' || grp, count(*), sum(size) FROM unnest(_groups, _sizes, seqs) AS given(grp, size, seq)
    WHERE given.seq > 0 AND grp IS NOT NULL GROUP BY grp
    ON CONFLICT (name) DO UPDATE SET events = c.events + excluded.events, bytes = c.bytes + excluded.bytes;
  END IF;

  IF cardinality(_state_at) > 0 THEN
    state_seqs := ARRAY(SELECT seqs[n] FROM unnest(_state_at) AS n WHERE seqs[n] > 0);
    s := SCHEMA.supersede_all(s, state_seqs);
    -- Of topics with too many values, the key changed longest ago goes first.
    FOR one IN
      SELECT 'k' || home AS name, home, min(most) AS most FROM (
        SELECT split_part(coalesce(_keys[n], _topics[n]), E'\\n', 1) AS home, most
        FROM unnest(_state_at, _most) AS given(n, most)
      ) AS homes GROUP BY home
    LOOP
      SELECT c.events INTO last FROM SCHEMA.counts c WHERE c.name = one.name AND c.events > one.most;
      CONTINUE WHEN NOT FOUND;
      s := SCHEMA.take(s, ARRAY(
        SELECT e.seq FROM SCHEMA.events e WHERE e.home = one.home AND e.value ORDER BY e.seq
        LIMIT least(last.events - one.most, total + 1000)
      ), true);
    END LOOP;
  END IF;

  FOR n IN 1..coalesce(cardinality(_group_names), 0) LOOP
    s := SCHEMA.trim_group(s, _group_names[n], _group_events[n], _group_bytes[n], _group_ages[n], total + 1000);
  END LOOP;
  s := SCHEMA.trim_log(s, _max_events, _max_bytes, _max_age, total + 1000);

  IF s.old_ids > 0 THEN
    WITH gone AS (
      DELETE FROM SCHEMA.ids WHERE id IN (
        SELECT i.id FROM SCHEMA.ids i WHERE i.superseded_by <= s.head - _id_window
        ORDER BY i.superseded_by LIMIT total + 1000
      ) RETURNING id
    ) SELECT count(*) AS rows INTO last FROM gone;
    s.old_ids := s.old_ids - last.rows;
    IF s.old_ids > _id_window THEN
      WITH gone AS (
        DELETE FROM SCHEMA.ids WHERE id IN (
          SELECT i.id FROM SCHEMA.ids i WHERE i.superseded_by IS NOT NULL
          ORDER BY i.superseded_by LIMIT least(s.old_ids - _id_window, total + 1000)
        ) RETURNING id
      ) SELECT count(*) AS rows INTO last FROM gone;
      s.old_ids := s.old_ids - last.rows;
    END IF;
  END IF;

  IF s.public_records > _max_losses THEN
    last := SCHEMA.forget_losses(false, s.public_records - _max_losses);
    s.public_records := s.public_records - last.records;
    s.public_forgotten_seq := greatest(s.public_forgotten_seq, last.newest);
    s.public_forgotten_count := greatest(s.public_forgotten_count, last.counted);
  END IF;
  IF s.private_records > _max_losses THEN
    last := SCHEMA.forget_losses(true, s.private_records - _max_losses);
    s.private_records := s.private_records - last.records;
    s.private_forgotten_seq := greatest(s.private_forgotten_seq, last.newest);
    s.private_forgotten_count := greatest(s.private_forgotten_count, last.counted);
  END IF;

  -- Values outlive retention. The oldest one never gets older.
  s.floor := s.trimmed_to;
  IF s.value_count > 0 THEN
    SELECT e.seq INTO s.oldest_value FROM SCHEMA.events e
    WHERE e.value AND e.seq >= s.oldest_value ORDER BY e.seq LIMIT 1;
    s.oldest_value := coalesce(s.oldest_value, s.head);
    s.floor := least(s.floor, s.oldest_value - 1);
  END IF;

  IF s.next_expiry IS NOT NULL OR _ttls IS NOT NULL THEN
    SELECT min(e.expires_at) INTO s.next_expiry FROM SCHEMA.events e WHERE e.due;
  END IF;

  UPDATE SCHEMA.head SET head = s.head, floor = s.floor, events = s.events, bytes = s.bytes, value_count = s.value_count,
    oldest_value = s.oldest_value, trimmed_to = s.trimmed_to, newest_loss = s.newest_loss, loss_count = s.loss_count,
    public_loss = s.public_loss, public_count = s.public_count, public_records = s.public_records,
    public_forgotten_seq = s.public_forgotten_seq, public_forgotten_count = s.public_forgotten_count,
    private_loss = s.private_loss, private_count = s.private_count, private_records = s.private_records,
    private_forgotten_seq = s.private_forgotten_seq, private_forgotten_count = s.private_forgotten_count,
    old_ids = s.old_ids, time = s.time, ahead = s.ahead, next_expiry = s.next_expiry;
  answer := array_to_string(seqs, ';');
  IF notes IS NOT NULL THEN
    SELECT string_agg(coalesce(note, seq::text), ';' ORDER BY n) INTO answer
    FROM ROWS FROM (unnest(seqs), unnest(notes)) WITH ORDINALITY AS each(seq, note, n);
  END IF;
  IF _node IS NOT NULL THEN
    UPDATE SCHEMA.nodes n SET call = _call, answer = append.answer, at = s.time WHERE n.node = _node;
  END IF;
  IF _channel IS NOT NULL AND s.head > head_before THEN PERFORM pg_notify(_channel, coalesce(_node, '')); END IF;
  SELECT s.epoch, s.head, s.floor, s.newest_loss, s.loss_count, s.time, s.next_expiry
  INTO epoch, head, floor, newest_loss, loss_count, at, next_expiry;
END $$;
`;
