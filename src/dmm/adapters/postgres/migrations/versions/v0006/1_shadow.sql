-- A shadow's fills are hypothetical; no job works on its run.
ALTER TABLE run DROP CONSTRAINT run_kind_check;
ALTER TABLE run ADD CONSTRAINT run_kind_check CHECK (kind IN ('demo', 'up', 'shadow'));
