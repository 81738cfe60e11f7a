-- The three tables that grow with every refresh, as parents of partitions. A key names its partition,
-- so every key holds (run_id, place); a fill's id is unique within its run, which it is made from.

ALTER TABLE decision RENAME TO decision_v0001;
ALTER INDEX decision_pkey RENAME TO decision_v0001_pkey;
DROP INDEX decision_epoch, decision_genesis;
ALTER TABLE fill RENAME TO fill_v0001;
ALTER INDEX fill_pkey RENAME TO fill_v0001_pkey;
ALTER INDEX fill_run_id_venue_ordinal_key RENAME TO fill_v0001_run_id_venue_ordinal_key;
DROP INDEX fill_epoch;
ALTER TABLE market_slice RENAME TO market_slice_v0001;
ALTER INDEX market_slice_pkey RENAME TO market_slice_v0001_pkey;

CREATE TABLE decision (
  run_id text NOT NULL REFERENCES run,
  seq bigint NOT NULL CHECK (seq >= 0),
  epoch bigint NOT NULL,
  decided_at_ns bigint NOT NULL,
  body bytea NOT NULL,
  previous_hash bytea NOT NULL CHECK (octet_length(previous_hash) = 32),
  link_hash bytea NOT NULL,
  PRIMARY KEY (run_id, seq),
  CONSTRAINT decision_link CHECK (link_hash = sha256(previous_hash || sha256(body))),
  -- A chain has one beginning: decision 0, the link after 32 zero bytes.
  CONSTRAINT decision_genesis CHECK ((seq = 0) = (previous_hash =
    '\x0000000000000000000000000000000000000000000000000000000000000000'::bytea))
) PARTITION BY RANGE (run_id, seq);
CREATE INDEX decision_epoch ON decision (run_id, epoch, seq);

CREATE TABLE fill (
  fill_id bytea NOT NULL CHECK (octet_length(fill_id) = 32),
  run_id text NOT NULL REFERENCES run,
  epoch bigint NOT NULL,
  ordinal bigint NOT NULL CHECK (ordinal >= 0),
  venue text NOT NULL,
  symbol text NOT NULL,
  client_id text NOT NULL,
  side text NOT NULL CHECK (side IN ('buy', 'sell')),
  price bigint NOT NULL,
  size bigint NOT NULL CHECK (size > 0),
  mid bigint NOT NULL,
  fee_atoms numeric(78,0) NOT NULL,
  filled_at_ns bigint NOT NULL,
  is_hedge boolean NOT NULL,
  PRIMARY KEY (run_id, fill_id),
  UNIQUE (run_id, venue, ordinal)
) PARTITION BY LIST (run_id);
CREATE INDEX fill_epoch ON fill (run_id, epoch, ordinal);

-- The arrays are little-endian int64, one after the other; trade_is_buy holds one byte per trade.
-- bids and asks are [[price in ticks, size in lots], ...], best first.
CREATE TABLE market_slice (
  run_id text NOT NULL REFERENCES run,
  epoch bigint NOT NULL,
  started_at_ns bigint NOT NULL,
  ended_at_ns bigint NOT NULL,
  events bigint NOT NULL,
  decisions bigint NOT NULL,
  quotes bigint NOT NULL,
  fills bigint NOT NULL,
  position_lots bigint NOT NULL,
  mid_half_ticks bigint NOT NULL,
  spread_captured_atoms numeric(78,0) NOT NULL,
  fees_atoms numeric(78,0) NOT NULL,
  bids jsonb NOT NULL,
  asks jsonb NOT NULL,
  grid_mid_half_ticks bytea NOT NULL CHECK (octet_length(grid_mid_half_ticks) % 8 = 0),
  trade_at_ns bytea NOT NULL,
  trade_depth_half_ticks bytea NOT NULL,
  trade_size_lots bytea NOT NULL,
  trade_is_buy bytea NOT NULL,
  PRIMARY KEY (run_id, epoch),
  CONSTRAINT market_slice_lengths CHECK (
    octet_length(trade_at_ns) = 8 * octet_length(trade_is_buy)
    AND octet_length(trade_depth_half_ticks) = 8 * octet_length(trade_is_buy)
    AND octet_length(trade_size_lots) = 8 * octet_length(trade_is_buy))
) PARTITION BY RANGE (run_id, epoch);

-- Every link but the first stands on the one before it, or on the anchor of a pruned partition. Links
-- of one statement are compared with each other; only what begins a run of numbers is looked up, by
-- its whole key, so that a statement touches no partition but its own. Per statement: COPY stays fast.
CREATE OR REPLACE FUNCTION guard_decisions() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  head record;
  before bytea;
BEGIN
  FOR head IN
    SELECT run_id, seq, previous_hash FROM (
      SELECT n.run_id, n.seq, n.previous_hash, lag(n.seq) OVER w AS seq_before,
             lag(n.link_hash) OVER w AS link_before
      FROM added n WINDOW w AS (PARTITION BY n.run_id ORDER BY n.seq)) links
    WHERE seq > 0
      AND NOT coalesce(seq_before = seq - 1 AND link_before = previous_hash, false)
  LOOP
    SELECT link_hash INTO before FROM decision WHERE run_id = head.run_id AND seq = head.seq - 1;
    IF NOT FOUND THEN
      SELECT last_link_hash INTO before FROM journal_anchor
      WHERE run_id = head.run_id AND table_name = 'decision' AND last_place = head.seq - 1;
    END IF;
    IF before IS DISTINCT FROM head.previous_hash THEN
      RAISE EXCEPTION 'decision % of run % breaks the hash chain', head.seq, head.run_id
        USING ERRCODE = 'check_violation';
    END IF;
  END LOOP;
  RETURN NULL;
END $$;
CREATE TRIGGER guard AFTER INSERT ON decision REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION guard_decisions();
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON decision EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON fill EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON market_slice
  EXECUTE FUNCTION refuse_change();
