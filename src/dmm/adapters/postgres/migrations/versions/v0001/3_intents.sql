-- Intents, lanes, slots and attempts: invariants 2, 3, 5, 6, 8, 9 and 10 of the settlement design.

CREATE TABLE legal_transition (
  old_state text NOT NULL,
  new_state text NOT NULL,
  PRIMARY KEY (old_state, new_state)
);
INSERT INTO legal_transition VALUES
  ('READY', 'IN_FLIGHT'),        -- signed and stored
  ('READY', 'FINAL'),            -- the replay key was used already: adopted
  ('READY', 'FAILED'),           -- proven dead while no slot was live
  ('READY', 'CANCELLED'),        -- never signed
  ('READY', 'QUARANTINED'),
  ('IN_FLIGHT', 'CONFIRMED'),    -- included at the head
  ('IN_FLIGHT', 'FINAL'),
  ('IN_FLIGHT', 'FAILED'),
  ('IN_FLIGHT', 'READY'),        -- slot retired with its proof
  ('IN_FLIGHT', 'QUARANTINED'),
  ('CONFIRMED', 'IN_FLIGHT'),    -- reorganised away
  ('CONFIRMED', 'FINAL'),
  ('CONFIRMED', 'FAILED'),
  ('CONFIRMED', 'QUARANTINED'),
  ('QUARANTINED', 'READY'),      -- released by governance
  ('QUARANTINED', 'IN_FLIGHT');
CREATE TRIGGER no_change BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON legal_transition
  EXECUTE FUNCTION refuse_change();

CREATE TABLE intent (
  intent_id bytea PRIMARY KEY CHECK (octet_length(intent_id) = 32),
  recorded_no bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  run_id text NOT NULL REFERENCES run,
  content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
  kind text NOT NULL,
  chain text NOT NULL,
  contract text NOT NULL,
  vault text NOT NULL,
  scope text NOT NULL,
  epoch bigint NOT NULL,
  ordinal bigint NOT NULL CHECK (ordinal >= 0),
  asset text NOT NULL,
  recipient text NOT NULL,
  amount numeric(78,0) NOT NULL CHECK (amount > 0),
  deadline_s bigint NOT NULL,
  inputs jsonb NOT NULL,
  supersedes bytea REFERENCES intent,
  state text NOT NULL DEFAULT 'READY' CHECK (state IN
    ('READY', 'IN_FLIGHT', 'CONFIRMED', 'FINAL', 'FAILED', 'CANCELLED', 'QUARANTINED')),
  generation bigint NOT NULL DEFAULT 0 CHECK (generation >= 0),
  fence bigint NOT NULL DEFAULT 0 CHECK (fence >= 0),
  lease_owner text,
  lease_until timestamptz,
  due_at timestamptz NOT NULL DEFAULT now(),
  final_tx_id text,
  closed_height bigint,
  proof jsonb,
  quarantine_reason text,
  UNIQUE (kind, chain, vault, scope, epoch, ordinal),
  CONSTRAINT intent_failed_with_proof CHECK (state <> 'FAILED' OR proof IS NOT NULL),
  CONSTRAINT intent_closed_at_height CHECK (state NOT IN ('FINAL', 'FAILED') OR closed_height IS NOT NULL)
);
CREATE INDEX intent_due ON intent (chain, due_at, recorded_no)
  WHERE state IN ('READY', 'IN_FLIGHT', 'CONFIRMED');
CREATE INDEX intent_run ON intent (run_id, recorded_no);

CREATE FUNCTION guard_intent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.intent_id, NEW.recorded_no, NEW.run_id, NEW.content_hash, NEW.kind, NEW.chain,
      NEW.contract, NEW.vault, NEW.scope, NEW.epoch, NEW.ordinal, NEW.asset, NEW.recipient,
      NEW.amount, NEW.deadline_s, NEW.inputs, NEW.supersedes)
     IS DISTINCT FROM
     (OLD.intent_id, OLD.recorded_no, OLD.run_id, OLD.content_hash, OLD.kind, OLD.chain,
      OLD.contract, OLD.vault, OLD.scope, OLD.epoch, OLD.ordinal, OLD.asset, OLD.recipient,
      OLD.amount, OLD.deadline_s, OLD.inputs, OLD.supersedes)
  THEN
    RAISE EXCEPTION 'the content of intent % is immutable', encode(OLD.intent_id, 'hex')
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.fence < OLD.fence OR NEW.generation < OLD.generation THEN
    RAISE EXCEPTION 'fence or generation of intent % went back', encode(OLD.intent_id, 'hex')
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.state <> OLD.state AND NOT EXISTS (
    SELECT 1 FROM legal_transition t WHERE t.old_state = OLD.state AND t.new_state = NEW.state)
  THEN
    RAISE EXCEPTION 'intent %: % to % is not legal', encode(OLD.intent_id, 'hex'), OLD.state, NEW.state
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON intent FOR EACH ROW EXECUTE FUNCTION guard_intent();

-- Nothing is born half way through its life.
CREATE FUNCTION guard_new_intent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state <> 'READY' OR NEW.generation <> 0 OR NEW.fence <> 0 THEN
    RAISE EXCEPTION 'intent % must start READY', encode(NEW.intent_id, 'hex')
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER guard_new BEFORE INSERT ON intent FOR EACH ROW EXECUTE FUNCTION guard_new_intent();
CREATE TRIGGER no_delete BEFORE DELETE OR TRUNCATE ON intent EXECUTE FUNCTION refuse_change();

CREATE TABLE lane (
  chain text NOT NULL,
  signer text NOT NULL,
  next_slot bigint NOT NULL DEFAULT 0 CHECK (next_slot >= 0),
  PRIMARY KEY (chain, signer)
);
CREATE FUNCTION guard_lane() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.chain, NEW.signer) IS DISTINCT FROM (OLD.chain, OLD.signer) OR NEW.next_slot < OLD.next_slot THEN
    RAISE EXCEPTION 'lane % of % went back', OLD.signer, OLD.chain USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON lane FOR EACH ROW EXECUTE FUNCTION guard_lane();
CREATE TRIGGER no_delete BEFORE DELETE OR TRUNCATE ON lane EXECUTE FUNCTION refuse_change();

CREATE TABLE slot_claim (
  chain text NOT NULL,
  signer text NOT NULL,
  slot bigint NOT NULL CHECK (slot >= 0),
  intent_id bytea NOT NULL REFERENCES intent,
  generation bigint NOT NULL,
  retired_height bigint,
  proof jsonb,
  PRIMARY KEY (chain, signer, slot),
  UNIQUE (intent_id, generation),
  -- What an attempt refers to: a slot together with the one intent it belongs to.
  UNIQUE (chain, signer, slot, intent_id, generation),
  FOREIGN KEY (chain, signer) REFERENCES lane,
  CONSTRAINT slot_claim_retired_with_proof CHECK ((retired_height IS NULL) = (proof IS NULL))
);
CREATE UNIQUE INDEX slot_claim_live ON slot_claim (intent_id) WHERE retired_height IS NULL;

CREATE FUNCTION guard_slot_claim() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER guard BEFORE UPDATE ON slot_claim FOR EACH ROW EXECUTE FUNCTION guard_slot_claim();
CREATE TRIGGER no_delete BEFORE DELETE OR TRUNCATE ON slot_claim EXECUTE FUNCTION refuse_change();

CREATE TABLE attempt (
  chain text NOT NULL,
  tx_id text NOT NULL CHECK (tx_id <> ''),
  stored_no bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  intent_id bytea NOT NULL REFERENCES intent,
  generation bigint NOT NULL,
  bump bigint NOT NULL CHECK (bump >= 0),
  signer text NOT NULL,
  slot bigint NOT NULL,
  raw bytea NOT NULL CHECK (octet_length(raw) > 0),
  fee_atoms_max numeric(78,0) NOT NULL CHECK (fee_atoms_max >= 0),
  state text NOT NULL DEFAULT 'SIGNED' CHECK (state IN
    ('SIGNED', 'BROADCAST', 'LANDED', 'FINAL_OK', 'FINAL_REVERTED', 'RETIRED')),
  broadcasts bigint NOT NULL DEFAULT 0,
  landed_height bigint,
  landed_block text,
  PRIMARY KEY (chain, tx_id),
  UNIQUE (intent_id, generation, bump),
  FOREIGN KEY (chain, signer, slot, intent_id, generation)
    REFERENCES slot_claim (chain, signer, slot, intent_id, generation)
);
CREATE UNIQUE INDEX attempt_final ON attempt (intent_id) WHERE state = 'FINAL_OK';

CREATE FUNCTION guard_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER guard BEFORE UPDATE ON attempt FOR EACH ROW EXECUTE FUNCTION guard_attempt();

-- Bytes are stored before they are sent, and only while their slot lives.
CREATE FUNCTION guard_new_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state <> 'SIGNED' THEN
    RAISE EXCEPTION 'attempt % must start SIGNED', NEW.tx_id USING ERRCODE = 'check_violation';
  END IF;
  IF EXISTS (SELECT 1 FROM slot_claim s WHERE s.chain = NEW.chain AND s.signer = NEW.signer
             AND s.slot = NEW.slot AND s.retired_height IS NOT NULL) THEN
    RAISE EXCEPTION 'slot % of attempt % is retired', NEW.slot, NEW.tx_id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER guard_new BEFORE INSERT ON attempt FOR EACH ROW EXECUTE FUNCTION guard_new_attempt();
CREATE TRIGGER no_delete BEFORE DELETE OR TRUNCATE ON attempt EXECUTE FUNCTION refuse_change();
