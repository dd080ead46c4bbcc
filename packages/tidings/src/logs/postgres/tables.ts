/**
 * The tables of a log, all in a schema of their own. Texts compare byte by byte, so names with a common beginning
 * lie side by side in an index, in every database.
 *
 * - `head`: one row, locked by each append until it commits. Nothing that is indexed changes in it, and its page keeps
 *   room for new versions.
 * - `view`: one row, in a table that PostgreSQL itself empties after a crash, a failover or a restored base backup: then
 *   the log may have lost its end. The row also says which transaction wrote it, which a restored dump can't.
 * - `events`: `keys` are the names of the topics in indexes, where those differ; `topic` is the first of them. `home`, the
 *   index name of the first topic it was published on, and `key` are its place if it is a state, and `kept` as long as
 *   it is a value of that place (`value`: and no deletion). `states` has a digit per topic: whether that is a state.
 *   `counted` events count against the log's own bounds, `grp` are bounded together. `due`: the
 *   newest value of its key, which is to be deleted at `expires_at`.
 * - `more`: the second and further topics of events.
 * - `counts`: `k` and a topic's index name: how many values it has; `g` and a group's name: its events and bytes.
 * - `ids`: publishers' ids. Those with `superseded_by` are of events that are gone.
 * - `losses`: the newest loss of each topic, of public and of private events, and how many there had been in all.
 * - `nodes`: a process's settings, and its last append, which is answered again if the answer got lost.
 * - `outbox`: events that apps published in transactions of their own; a row becomes visible when those commit. `parked`: why a row can't
 *   be appended.
 */
export const TABLES = `
CREATE TABLE SCHEMA.format (version integer NOT NULL);

CREATE TABLE SCHEMA.head (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  epoch text NOT NULL DEFAULT left(replace(gen_random_uuid()::text, '-', ''), 16),
  lineage jsonb NOT NULL DEFAULT '[]',
  head bigint NOT NULL DEFAULT 0,
  floor bigint NOT NULL DEFAULT 0,
  events bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL DEFAULT 0,
  value_count bigint NOT NULL DEFAULT 0,
  oldest_value bigint NOT NULL DEFAULT 0,
  trimmed_to bigint NOT NULL DEFAULT 0,
  newest_loss bigint NOT NULL DEFAULT 0,
  loss_count bigint NOT NULL DEFAULT 0,
  loss_records bigint NOT NULL DEFAULT 0,
  forgotten_seq bigint NOT NULL DEFAULT 0,
  forgotten_count bigint NOT NULL DEFAULT 0,
  old_ids bigint NOT NULL DEFAULT 0,
  time double precision NOT NULL DEFAULT 0,
  ahead double precision NOT NULL DEFAULT 0,
  next_expiry double precision
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE UNLOGGED TABLE SCHEMA.view (written_by xid NOT NULL);

CREATE TABLE SCHEMA.events (
  seq bigint PRIMARY KEY,
  time double precision NOT NULL,
  topics text NOT NULL,
  canonical text,
  keys text,
  topic text COLLATE "C" NOT NULL,
  type text,
  data text NOT NULL,
  id text,
  key text COLLATE "C",
  flags text,
  size integer NOT NULL,
  counted boolean NOT NULL,
  home text COLLATE "C",
  kept boolean NOT NULL,
  value boolean NOT NULL,
  states text,
  grp text COLLATE "C",
  expires_at double precision,
  due boolean NOT NULL DEFAULT false,
  published_at double precision
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
CREATE INDEX ON SCHEMA.events (topic, seq);
CREATE INDEX ON SCHEMA.events (topic, seq) WHERE value;
CREATE INDEX ON SCHEMA.events (seq) WHERE value;
CREATE INDEX ON SCHEMA.events (home, key) WHERE kept;
CREATE INDEX ON SCHEMA.events (home, seq) WHERE value;
CREATE INDEX ON SCHEMA.events (grp, seq) WHERE grp IS NOT NULL;
CREATE INDEX ON SCHEMA.events (expires_at) WHERE due;

CREATE TABLE SCHEMA.more (
  topic text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  value boolean NOT NULL,
  PRIMARY KEY (topic, seq)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
CREATE INDEX ON SCHEMA.more (topic, seq) WHERE value;

CREATE TABLE SCHEMA.counts (
  name text COLLATE "C" PRIMARY KEY,
  events bigint NOT NULL,
  bytes bigint NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);

CREATE TABLE SCHEMA.ids (
  id text COLLATE "C" PRIMARY KEY,
  seq bigint NOT NULL,
  superseded_by bigint
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
CREATE INDEX ON SCHEMA.ids (superseded_by) WHERE superseded_by IS NOT NULL;

CREATE TABLE SCHEMA.losses (
  topic text COLLATE "C" PRIMARY KEY,
  seq bigint NOT NULL,
  count bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
CREATE INDEX ON SCHEMA.losses (count);

CREATE TABLE SCHEMA.nodes (
  node text PRIMARY KEY,
  settings text NOT NULL,
  seen timestamptz NOT NULL,
  call bigint NOT NULL DEFAULT 0,
  answer text,
  at double precision
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE SCHEMA.outbox (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  events text NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE TABLE SCHEMA.mover (one boolean PRIMARY KEY DEFAULT true CHECK (one));
INSERT INTO SCHEMA.mover DEFAULT VALUES;
`;

/** Losses of private events are counted apart: up to here, all were counted as of public ones. And rows can be parked. */
export const VERSION_2 = `
ALTER TABLE SCHEMA.outbox ADD COLUMN parked text;
ALTER TABLE SCHEMA.head RENAME COLUMN loss_records TO public_records;
ALTER TABLE SCHEMA.head RENAME COLUMN forgotten_seq TO public_forgotten_seq;
ALTER TABLE SCHEMA.head RENAME COLUMN forgotten_count TO public_forgotten_count;
ALTER TABLE SCHEMA.head
  ADD COLUMN public_loss bigint NOT NULL DEFAULT 0,
  ADD COLUMN public_count bigint NOT NULL DEFAULT 0,
  ADD COLUMN private_loss bigint NOT NULL DEFAULT 0,
  ADD COLUMN private_count bigint NOT NULL DEFAULT 0,
  ADD COLUMN private_records bigint NOT NULL DEFAULT 0,
  ADD COLUMN private_forgotten_seq bigint NOT NULL DEFAULT 0,
  ADD COLUMN private_forgotten_count bigint NOT NULL DEFAULT 0;
UPDATE SCHEMA.head SET public_loss = newest_loss, public_count = loss_count;
ALTER TABLE SCHEMA.losses ADD COLUMN private boolean NOT NULL DEFAULT false;
ALTER TABLE SCHEMA.losses DROP CONSTRAINT losses_pkey, ADD PRIMARY KEY (private, topic);
CREATE INDEX ON SCHEMA.losses (private, count);
`;
