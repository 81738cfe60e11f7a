-- One row when a drawdown halts the desk, one when a person resets it; the last row holds.
CREATE TABLE halt_latch (
  event_no bigint PRIMARY KEY CHECK (event_no >= 1),
  halt_id bigint NOT NULL,
  halted boolean NOT NULL,
  run_id text NOT NULL REFERENCES run,
  reason text NOT NULL CHECK (reason <> ''),
  operator text NOT NULL,
  at_ns bigint NOT NULL,
  CONSTRAINT halt_latch_reset_by_a_person CHECK (halted = (operator = ''))
);
CREATE FUNCTION guard_halt_latch() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  last halt_latch;
BEGIN
  SELECT * INTO last FROM halt_latch ORDER BY event_no DESC LIMIT 1;
  IF NEW.event_no <> coalesce(last.event_no, 0) + 1
     OR NEW.halted = coalesce(last.halted, false)
     OR NEW.halt_id <> coalesce(last.halt_id, 0) + NEW.halted::int
     OR (NOT NEW.halted AND NEW.run_id <> last.run_id)
  THEN
    RAISE EXCEPTION 'halt event % does not follow %', NEW.event_no, coalesce(last.event_no, 0)
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON halt_latch FOR EACH ROW EXECUTE FUNCTION guard_halt_latch();
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON halt_latch EXECUTE FUNCTION refuse_change();
