-- Runs of the desk; decisions, fills and slices of the quoting worker.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'check_violation';
END $$;

CREATE TABLE run (
  run_id text PRIMARY KEY CHECK (run_id <> ''),
  kind text NOT NULL CHECK (kind IN ('demo', 'up')),
  symbol text NOT NULL,
  epochs bigint NOT NULL CHECK (epochs >= 0),
  spec jsonb NOT NULL,
  started_at_ns bigint NOT NULL,
  finished_at_ns bigint
);
CREATE INDEX run_started ON run (started_at_ns);

-- A run changes once: when it finishes.
CREATE FUNCTION guard_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.finished_at_ns IS NOT NULL
     OR (NEW.run_id, NEW.kind, NEW.symbol, NEW.epochs, NEW.spec, NEW.started_at_ns)
        IS DISTINCT FROM (OLD.run_id, OLD.kind, OLD.symbol, OLD.epochs, OLD.spec, OLD.started_at_ns)
  THEN
    RAISE EXCEPTION 'run % may only be finished, once', OLD.run_id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON run FOR EACH ROW EXECUTE FUNCTION guard_run();
CREATE TRIGGER no_delete BEFORE DELETE OR TRUNCATE ON run EXECUTE FUNCTION refuse_change();

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
CREATE INDEX decision_epoch ON decision (run_id, epoch, seq);
-- A chain has one beginning: the link after 32 zero bytes.
CREATE UNIQUE INDEX decision_genesis ON decision (run_id)
  WHERE previous_hash = '\x0000000000000000000000000000000000000000000000000000000000000000'::bytea;

-- Every link but the first stands on the one before it. Per statement, so that COPY stays fast.
CREATE FUNCTION guard_decisions() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE INDEX fill_epoch ON fill (run_id, epoch, ordinal);
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON fill EXECUTE FUNCTION refuse_change();

-- What an epoch is quoted with; a resumed run plays it again with the same.
CREATE TABLE epoch_input (
  run_id text NOT NULL REFERENCES run,
  epoch bigint NOT NULL,
  body jsonb NOT NULL,
  PRIMARY KEY (run_id, epoch)
);
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON epoch_input
  EXECUTE FUNCTION refuse_change();

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
);
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON market_slice
  EXECUTE FUNCTION refuse_change();
