-- Refused where version 0003 could not hold what is there: burns would read as payments.
DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM attempt WHERE purpose <> 'PAY')
     OR EXISTS (SELECT 1 FROM slot_claim WHERE expires <> 0)
     OR EXISTS (SELECT 1 FROM quarantine_release) THEN
    RAISE EXCEPTION 'burnt or expiring slots, or released intents, are recorded: version 0003 cannot hold them';
  END IF;
  IF EXISTS (SELECT 1 FROM adopt_only a WHERE a.entered AND a.event_no =
             (SELECT max(b.event_no) FROM adopt_only b WHERE b.chain = a.chain)) THEN
    RAISE EXCEPTION 'a restored journal is not adopted yet: run the settler until it is';
  END IF;
END $$;
DROP TABLE adopt_only, quarantine_release;
ALTER TABLE legal_transition DISABLE TRIGGER no_change;
DELETE FROM legal_transition WHERE old_state = 'QUARANTINED' AND new_state = 'FAILED';
ALTER TABLE legal_transition ENABLE TRIGGER no_change;
CREATE OR REPLACE FUNCTION guard_new_intent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state <> 'READY' OR NEW.generation <> 0 OR NEW.fence <> 0 THEN
    RAISE EXCEPTION 'intent % must start READY', encode(NEW.intent_id, 'hex')
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION guard_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.chain, NEW.tx_id, NEW.stored_no, NEW.intent_id, NEW.generation, NEW.bump, NEW.signer,
      NEW.slot, NEW.raw, NEW.fee_atoms_max)
     IS DISTINCT FROM
     (OLD.chain, OLD.tx_id, OLD.stored_no, OLD.intent_id, OLD.generation, OLD.bump, OLD.signer,
      OLD.slot, OLD.raw, OLD.fee_atoms_max)
  THEN
    RAISE EXCEPTION 'attempt % is immutable', OLD.tx_id USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.broadcasts < OLD.broadcasts THEN
    RAISE EXCEPTION 'broadcasts of attempt % went back', OLD.tx_id USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.state <> OLD.state AND (
    OLD.state IN ('FINAL_OK', 'FINAL_REVERTED', 'RETIRED')
    OR NEW.state = 'SIGNED')
  THEN
    RAISE EXCEPTION 'attempt %: % to % is not legal', OLD.tx_id, OLD.state, NEW.state
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

ALTER TABLE attempt DROP CONSTRAINT attempt_final_paid, DROP COLUMN purpose;
CREATE OR REPLACE FUNCTION guard_slot_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.chain, NEW.signer, NEW.slot, NEW.intent_id, NEW.generation)
     IS DISTINCT FROM (OLD.chain, OLD.signer, OLD.slot, OLD.intent_id, OLD.generation)
     OR OLD.retired_height IS NOT NULL
  THEN
    RAISE EXCEPTION 'slot % of % % may only be retired, once', OLD.slot, OLD.chain, OLD.signer
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

ALTER TABLE slot_claim DROP COLUMN expires, DROP COLUMN anchor;
