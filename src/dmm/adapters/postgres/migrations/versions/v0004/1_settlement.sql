-- Burnt slots, slots that expire, releases from quarantine, adopt-only mode after a restore.

ALTER TABLE slot_claim
  ADD COLUMN expires bigint NOT NULL DEFAULT 0 CHECK (expires >= 0),
  ADD COLUMN anchor text NOT NULL DEFAULT '';
CREATE OR REPLACE FUNCTION guard_slot_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.chain, NEW.signer, NEW.slot, NEW.intent_id, NEW.generation,
      NEW.expires, NEW.anchor)
     IS DISTINCT FROM (OLD.chain, OLD.signer, OLD.slot, OLD.intent_id, OLD.generation,
                       OLD.expires, OLD.anchor)
     OR OLD.retired_height IS NOT NULL
  THEN
    RAISE EXCEPTION 'slot % of % % may only be retired, once', OLD.slot, OLD.chain, OLD.signer
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

ALTER TABLE attempt
  ADD COLUMN purpose text NOT NULL DEFAULT 'PAY' CHECK (purpose IN ('PAY', 'BURN')),
  ADD CONSTRAINT attempt_final_paid CHECK (state <> 'FINAL_OK' OR purpose = 'PAY');
CREATE OR REPLACE FUNCTION guard_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.chain, NEW.tx_id, NEW.stored_no, NEW.intent_id, NEW.generation, NEW.bump, NEW.signer,
      NEW.slot, NEW.raw, NEW.fee_atoms_max, NEW.purpose)
     IS DISTINCT FROM
     (OLD.chain, OLD.tx_id, OLD.stored_no, OLD.intent_id, OLD.generation, OLD.bump, OLD.signer,
      OLD.slot, OLD.raw, OLD.fee_atoms_max, OLD.purpose)
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

CREATE OR REPLACE FUNCTION guard_new_intent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state <> 'READY' OR NEW.generation <> 0 OR NEW.fence <> 0 THEN
    RAISE EXCEPTION 'intent % must start READY', encode(NEW.intent_id, 'hex')
      USING ERRCODE = 'check_violation';
  END IF;
  -- Paying again is planned only over the proof that the first was never paid.
  IF NEW.supersedes IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM intent i WHERE i.intent_id = NEW.supersedes AND i.state = 'FAILED')
  THEN
    RAISE EXCEPTION 'intent % supersedes one that is not proven dead', encode(NEW.intent_id, 'hex')
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

ALTER TABLE legal_transition DISABLE TRIGGER no_change;
INSERT INTO legal_transition VALUES ('QUARANTINED', 'FAILED');  -- dead, by an executed order
ALTER TABLE legal_transition ENABLE TRIGGER no_change;

-- An order that governance executed ends one quarantine, once.
CREATE TABLE quarantine_release (
  order_sequence bigint PRIMARY KEY CHECK (order_sequence >= 1),
  intent_id bytea NOT NULL REFERENCES intent,
  new_state text NOT NULL CHECK (new_state IN ('READY', 'IN_FLIGHT', 'FAILED')),
  proof jsonb NOT NULL
);
CREATE INDEX quarantine_release_intent ON quarantine_release (intent_id);
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON quarantine_release
  EXECUTE FUNCTION refuse_change();

-- The last row of a chain holds: while it was entered and not left, nothing is signed for the chain.
CREATE TABLE adopt_only (
  chain text NOT NULL,
  event_no bigint NOT NULL CHECK (event_no >= 1),
  entered boolean NOT NULL,
  until_s bigint NOT NULL,
  reason text NOT NULL CHECK (reason <> ''),
  at_ns bigint NOT NULL,
  proof jsonb,
  PRIMARY KEY (chain, event_no),
  CONSTRAINT adopt_only_left_with_proof CHECK (entered = (proof IS NULL))
);
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON adopt_only
  EXECUTE FUNCTION refuse_change();
