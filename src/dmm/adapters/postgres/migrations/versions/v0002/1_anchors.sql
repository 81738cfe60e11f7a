-- Which partitions there are, and what stands for those that were pruned. Both only grow: a partition
-- is there as long as it has no anchor.

-- Rows of one run from first_place up to, not including, end_place; NULL: to the end of the run.
CREATE TABLE journal_partition (
  partition text PRIMARY KEY,
  run_id text NOT NULL REFERENCES run,
  table_name text NOT NULL CHECK (table_name IN ('decision', 'fill', 'market_slice')),
  first_place bigint NOT NULL CHECK (first_place >= 0),
  end_place bigint CHECK (end_place > first_place),
  UNIQUE (run_id, table_name, first_place),
  UNIQUE (partition, run_id, table_name)
);
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_partition
  EXECUTE FUNCTION refuse_change();

-- digest: SHA-256 over the rows in order, each as a line of canonical JSON, newline included.
CREATE TABLE journal_anchor (
  partition text PRIMARY KEY,
  run_id text NOT NULL,
  table_name text NOT NULL,
  first_place bigint NOT NULL,
  last_place bigint NOT NULL,
  first_epoch bigint NOT NULL,
  last_epoch bigint NOT NULL,
  row_count bigint NOT NULL CHECK (row_count > 0),
  first_previous_hash bytea CHECK (octet_length(first_previous_hash) = 32),
  last_link_hash bytea CHECK (octet_length(last_link_hash) = 32),
  digest bytea NOT NULL CHECK (octet_length(digest) = 32),
  archive text NOT NULL,
  operator text NOT NULL CHECK (operator <> ''),
  reason text NOT NULL CHECK (reason <> ''),
  pruned_at_ns bigint NOT NULL,
  FOREIGN KEY (partition, run_id, table_name)
    REFERENCES journal_partition (partition, run_id, table_name),
  CONSTRAINT journal_anchor_links CHECK (
    (table_name = 'decision') = (first_previous_hash IS NOT NULL)
    AND (table_name = 'decision') = (last_link_hash IS NOT NULL)),
  CONSTRAINT journal_anchor_dense CHECK (
    table_name <> 'decision' OR row_count = last_place - first_place + 1)
);
CREATE INDEX journal_anchor_run ON journal_anchor (run_id, table_name, first_place);

-- A run that is not finished is played again from its start when it is resumed, so it loses nothing.
-- Decisions go from the front, each partition on the anchor of the one before.
CREATE FUNCTION guard_journal_anchor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM run r
                 WHERE r.run_id = NEW.run_id AND r.finished_at_ns < NEW.pruned_at_ns) THEN
    RAISE EXCEPTION 'run % is not finished: partition % stays', NEW.run_id, NEW.partition
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.table_name = 'decision' AND NOT (
       NEW.first_place = 0 AND NEW.first_previous_hash = decode(repeat('00', 32), 'hex'))
     AND NOT EXISTS (
       SELECT 1 FROM journal_anchor a
       WHERE a.run_id = NEW.run_id AND a.table_name = 'decision'
         AND a.last_place = NEW.first_place - 1 AND a.last_link_hash = NEW.first_previous_hash) THEN
    RAISE EXCEPTION 'anchor % neither begins a chain nor stands on an anchor', NEW.partition
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON journal_anchor FOR EACH ROW
  EXECUTE FUNCTION guard_journal_anchor();
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_anchor
  EXECUTE FUNCTION refuse_change();
