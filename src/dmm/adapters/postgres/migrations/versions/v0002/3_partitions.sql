-- Partitions are made by whoever writes their first row, in the same transaction, and taken away by
-- whoever wrote their anchor, in the same transaction. There is no default partition: a row without
-- one is refused, never misplaced.

-- Places a partition spans; NULL: a run's rows lie in one. A decision takes about 700 bytes, a slice of a
-- busy minute about 300 kB: both make partitions that are read, hashed and archived within seconds.
CREATE FUNCTION partition_width(of_table text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE of_table WHEN 'decision' THEN 100000 WHEN 'market_slice' THEN 256 END
$$;

-- Make what a row at that place needs. The caller holds the run's lock. ATTACH PARTITION lets readers and
-- writers of the table go on, which CREATE TABLE ... PARTITION OF would not.
CREATE FUNCTION open_partition(of_table text, of_run text, place bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  width bigint := partition_width(of_table);
  first bigint := coalesce(place - place % width, 0);
  made text;
BEGIN
  SELECT p.partition INTO made FROM journal_partition p
  WHERE p.run_id = of_run AND p.table_name = of_table AND p.first_place = first;
  IF FOUND THEN
    IF EXISTS (SELECT 1 FROM journal_anchor a WHERE a.partition = made) THEN
      RAISE EXCEPTION 'partition % was pruned: nothing is written to it', made
        USING ERRCODE = 'check_violation';
    END IF;
    RETURN;
  END IF;
  -- A run's id is part of the name where a name can hold it.
  made := format('%s_%s_%s', of_table,
    CASE WHEN of_run ~ '^[0-9a-z_-]{1,32}$' THEN of_run
         ELSE left(encode(sha256(convert_to(of_run, 'UTF8')), 'hex'), 32) END,
    coalesce(first / width, 0));
  INSERT INTO journal_partition VALUES (made, of_run, of_table, first, first + width);
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', made, of_table);
  -- A statement on a partition fires its own triggers, not those of the table above.
  EXECUTE format('CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
                 'EXECUTE FUNCTION refuse_change()', made);
  IF of_table = 'decision' THEN
    EXECUTE format('CREATE TRIGGER guard AFTER INSERT ON %I REFERENCING NEW TABLE AS added '
                   'FOR EACH STATEMENT EXECUTE FUNCTION guard_decisions()', made);
  END IF;
  IF width IS NULL THEN
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES IN (%L)', of_table, made, of_run);
  ELSE
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L, %s) TO (%L, %s)',
                   of_table, made, of_run, first, of_run, first + width);
  END IF;
END $$;

-- Make what rows from one place to another need.
CREATE FUNCTION open_partitions(of_table text, of_run text, first_place bigint, last_place bigint)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  width bigint := coalesce(partition_width(of_table), last_place + 1);
  place bigint := first_place;
BEGIN
  WHILE place <= last_place LOOP
    PERFORM open_partition(of_table, of_run, place);
    place := place - place % width + width;
  END LOOP;
END $$;

-- Take a partition away that has its anchor. DROP TABLE detaches it as well; to detach it first would
-- turn its foreign key into one of its own, and dropping that shuts out every reader of run.
CREATE FUNCTION drop_partition(of_partition text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM journal_anchor a WHERE a.partition = of_partition) THEN
    RAISE EXCEPTION 'partition % has no anchor: it stays', of_partition
      USING ERRCODE = 'check_violation';
  END IF;
  EXECUTE format('DROP TABLE %I', of_partition);
END $$;
