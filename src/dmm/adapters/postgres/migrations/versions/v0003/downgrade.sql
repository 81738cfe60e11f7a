DO $$
BEGIN
  IF (SELECT halted FROM halt_latch ORDER BY event_no DESC LIMIT 1) THEN
    RAISE EXCEPTION 'the desk is halted: reset it before its latch is taken away';
  END IF;
END $$;
DROP TABLE halt_latch;
DROP FUNCTION guard_halt_latch();
