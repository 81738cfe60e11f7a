-- Back to one table each, with all rows. Refused once something was pruned: without its anchor nothing
-- proves what remains.

DO $$
DECLARE
  pruned bigint;
BEGIN
  SELECT count(*) INTO pruned FROM journal_anchor;
  IF pruned > 0 THEN
    RAISE EXCEPTION '% partitions were pruned and their anchors would be lost: restore a backup taken before', pruned
      USING ERRCODE = 'check_violation';
  END IF;
END $$;

ALTER TABLE decision RENAME TO decision_v0002;
ALTER INDEX decision_pkey RENAME TO decision_v0002_pkey;
ALTER INDEX decision_epoch RENAME TO decision_v0002_epoch;
ALTER TABLE fill RENAME TO fill_v0002;
ALTER INDEX fill_pkey RENAME TO fill_v0002_pkey;
ALTER INDEX fill_run_id_venue_ordinal_key RENAME TO fill_v0002_run_id_venue_ordinal_key;
ALTER INDEX fill_epoch RENAME TO fill_v0002_epoch;
ALTER TABLE market_slice RENAME TO market_slice_v0002;
ALTER INDEX market_slice_pkey RENAME TO market_slice_v0002_pkey;

CREATE TABLE decision (
  run_id text NOT NULL REFERENCES run,
  seq bigint NOT NULL CHECK (seq >= 0),
  epoch bigint NOT NULL,
  decided_at_ns bigint NOT NULL,
  body bytea NOT NULL,
  previous_hash bytea NOT NULL CHECK (octet_length(previous_hash) = 32),
  link_hash bytea NOT NULL,
  PRIMARY KEY (run_id, seq),
  CONSTRAINT decision_link CHECK (link_hash = sha256(previous_hash || sha256(body)))
);
CREATE TABLE fill (
  fill_id bytea PRIMARY KEY CHECK (octet_length(fill_id) = 32),
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
  UNIQUE (run_id, venue, ordinal)
);
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
);

INSERT INTO decision (run_id, seq, epoch, decided_at_ns, body, previous_hash, link_hash)
SELECT run_id, seq, epoch, decided_at_ns, body, previous_hash, link_hash FROM decision_v0002
ORDER BY run_id, seq;
INSERT INTO fill (fill_id, run_id, epoch, ordinal, venue, symbol, client_id, side, price, size, mid,
  fee_atoms, filled_at_ns, is_hedge)
SELECT fill_id, run_id, epoch, ordinal, venue, symbol, client_id, side, price, size, mid, fee_atoms,
  filled_at_ns, is_hedge FROM fill_v0002;
INSERT INTO market_slice (run_id, epoch, started_at_ns, ended_at_ns, events, decisions, quotes, fills,
  position_lots, mid_half_ticks, spread_captured_atoms, fees_atoms, bids, asks, grid_mid_half_ticks,
  trade_at_ns, trade_depth_half_ticks, trade_size_lots, trade_is_buy)
SELECT run_id, epoch, started_at_ns, ended_at_ns, events, decisions, quotes, fills, position_lots,
  mid_half_ticks, spread_captured_atoms, fees_atoms, bids, asks, grid_mid_half_ticks, trade_at_ns,
  trade_depth_half_ticks, trade_size_lots, trade_is_buy FROM market_slice_v0002;

DROP TABLE decision_v0002, fill_v0002, market_slice_v0002, journal_anchor, journal_partition;
DROP FUNCTION open_partitions(text, text, bigint, bigint), open_partition(text, text, bigint),
  drop_partition(text), partition_width(text), guard_journal_anchor();

CREATE INDEX decision_epoch ON decision (run_id, epoch, seq);
CREATE UNIQUE INDEX decision_genesis ON decision (run_id)
  WHERE previous_hash = '\x0000000000000000000000000000000000000000000000000000000000000000'::bytea;
CREATE INDEX fill_epoch ON fill (run_id, epoch, ordinal);

CREATE OR REPLACE FUNCTION guard_decisions() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  broken record;
BEGIN
  SELECT n.run_id, n.seq INTO broken
  FROM added n LEFT JOIN decision p ON p.run_id = n.run_id AND p.seq = n.seq - 1
  WHERE CASE WHEN p.seq IS NULL
    THEN n.previous_hash <> '\x0000000000000000000000000000000000000000000000000000000000000000'::bytea
    ELSE n.previous_hash <> p.link_hash END
  LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'decision % of run % breaks the hash chain', broken.seq, broken.run_id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER guard AFTER INSERT ON decision REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION guard_decisions();
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON decision EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON fill EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON market_slice
  EXECUTE FUNCTION refuse_change();
