-- Claims of epoch jobs and the rows they leave: the database makes an epoch run once.

-- A scope names its run, so that one claim per (job, scope, epoch) is one claim per run.
CREATE TABLE epoch_claim (
  job text NOT NULL,
  scope text NOT NULL,
  epoch bigint NOT NULL,
  run_id text NOT NULL REFERENCES run,
  opened_at_ns bigint NOT NULL,
  opened_chain_s bigint NOT NULL,
  plan_hash bytea CHECK (octet_length(plan_hash) = 32),
  quarantined boolean NOT NULL DEFAULT false,
  note text NOT NULL DEFAULT '',
  row_counts jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (job, scope, epoch)
);
CREATE INDEX epoch_claim_run ON epoch_claim (run_id);

CREATE FUNCTION guard_epoch_claim() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.job, NEW.scope, NEW.epoch, NEW.run_id, NEW.opened_at_ns, NEW.opened_chain_s)
     IS DISTINCT FROM
     (OLD.job, OLD.scope, OLD.epoch, OLD.run_id, OLD.opened_at_ns, OLD.opened_chain_s)
  THEN
    RAISE EXCEPTION 'claim % % % is immutable', OLD.job, OLD.scope, OLD.epoch
      USING ERRCODE = 'check_violation';
  END IF;
  IF OLD.plan_hash IS NOT NULL AND (NEW.plan_hash, NEW.note, NEW.row_counts)
     IS DISTINCT FROM (OLD.plan_hash, OLD.note, OLD.row_counts)
  THEN
    RAISE EXCEPTION 'claim % % % has its plan already', OLD.job, OLD.scope, OLD.epoch
      USING ERRCODE = 'check_violation';
  END IF;
  IF OLD.quarantined AND NOT NEW.quarantined THEN
    RAISE EXCEPTION 'claim % % % stays quarantined', OLD.job, OLD.scope, OLD.epoch
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON epoch_claim FOR EACH ROW EXECUTE FUNCTION guard_epoch_claim();
CREATE TRIGGER no_delete BEFORE DELETE OR TRUNCATE ON epoch_claim EXECUTE FUNCTION refuse_change();

CREATE TABLE estimate (
  job text NOT NULL, scope text NOT NULL, epoch bigint NOT NULL,
  ordinal bigint NOT NULL CHECK (ordinal >= 0),
  run_id text NOT NULL REFERENCES run,
  symbol text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('volatility', 'arrival')),
  version bigint NOT NULL,
  "values" jsonb NOT NULL,
  evidence jsonb NOT NULL,
  verdict text NOT NULL,
  previous_hash text NOT NULL,
  link_hash text NOT NULL,
  PRIMARY KEY (job, scope, epoch, ordinal),
  FOREIGN KEY (job, scope, epoch) REFERENCES epoch_claim
);

CREATE TABLE hedge_order (
  job text NOT NULL, scope text NOT NULL, epoch bigint NOT NULL,
  ordinal bigint NOT NULL CHECK (ordinal >= 0),
  run_id text NOT NULL REFERENCES run,
  venue text NOT NULL,
  side text NOT NULL CHECK (side IN ('buy', 'sell')),
  price bigint NOT NULL,
  size bigint NOT NULL,
  filled bigint NOT NULL,
  fee_atoms numeric(78,0) NOT NULL,
  reason text NOT NULL,
  fill_id text,
  PRIMARY KEY (job, scope, epoch, ordinal),
  FOREIGN KEY (job, scope, epoch) REFERENCES epoch_claim
);

CREATE TABLE reward (
  job text NOT NULL, scope text NOT NULL, epoch bigint NOT NULL,
  ordinal bigint NOT NULL CHECK (ordinal >= 0),
  run_id text NOT NULL REFERENCES run,
  program text NOT NULL,
  recipient text NOT NULL,
  score numeric(78,0) NOT NULL,
  amount numeric(78,0) NOT NULL,
  intent_id text NOT NULL,
  PRIMARY KEY (job, scope, epoch, ordinal),
  FOREIGN KEY (job, scope, epoch) REFERENCES epoch_claim
);

CREATE TABLE buyback (
  job text NOT NULL, scope text NOT NULL, epoch bigint NOT NULL,
  ordinal bigint NOT NULL CHECK (ordinal >= 0),
  run_id text NOT NULL REFERENCES run,
  program text NOT NULL,
  asset_paid text NOT NULL,
  amount_paid numeric(78,0) NOT NULL,
  asset_bought text NOT NULL,
  amount_bought numeric(78,0) NOT NULL,
  maker text NOT NULL,
  quote_id text NOT NULL,
  intent_id text NOT NULL,
  PRIMARY KEY (job, scope, epoch, ordinal),
  FOREIGN KEY (job, scope, epoch) REFERENCES epoch_claim
);

CREATE TABLE rfq_settlement (
  job text NOT NULL, scope text NOT NULL, epoch bigint NOT NULL,
  ordinal bigint NOT NULL CHECK (ordinal >= 0),
  run_id text NOT NULL REFERENCES run,
  quote_id text NOT NULL,
  nonce bigint NOT NULL,
  maker text NOT NULL,
  intent_id text NOT NULL,
  PRIMARY KEY (job, scope, epoch, ordinal),
  FOREIGN KEY (job, scope, epoch) REFERENCES epoch_claim
);

CREATE TABLE dispatch_run (
  job text NOT NULL, scope text NOT NULL, epoch bigint NOT NULL,
  ordinal bigint NOT NULL CHECK (ordinal >= 0),
  run_id text NOT NULL REFERENCES run,
  chain text NOT NULL,
  sent bigint NOT NULL,
  final bigint NOT NULL,
  failed bigint NOT NULL,
  still_open bigint NOT NULL,
  PRIMARY KEY (job, scope, epoch, ordinal),
  FOREIGN KEY (job, scope, epoch) REFERENCES epoch_claim
);

CREATE TABLE recon_run (
  job text NOT NULL, scope text NOT NULL, epoch bigint NOT NULL,
  ordinal bigint NOT NULL CHECK (ordinal >= 0),
  run_id text NOT NULL REFERENCES run,
  chain text NOT NULL,
  vault text NOT NULL,
  asset text NOT NULL,
  height bigint NOT NULL,
  block_hash text NOT NULL,
  chain_atoms numeric(78,0) NOT NULL,
  ledger_atoms numeric(78,0) NOT NULL,
  difference numeric(78,0) NOT NULL,
  unexplained numeric(78,0) NOT NULL,
  class text NOT NULL,
  PRIMARY KEY (job, scope, epoch, ordinal),
  FOREIGN KEY (job, scope, epoch) REFERENCES epoch_claim
);

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['estimate', 'hedge_order', 'reward', 'buyback', 'rfq_settlement',
                              'dispatch_run', 'recon_run'] LOOP
    EXECUTE format('CREATE INDEX %I ON %I (run_id, epoch, ordinal)', name || '_run', name);
    EXECUTE format('CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
                   'EXECUTE FUNCTION refuse_change()', name);
  END LOOP;
END $$;
