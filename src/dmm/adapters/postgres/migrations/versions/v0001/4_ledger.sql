-- Double entry: invariants 16 to 19. Totals of an account move by transfers alone.

CREATE TABLE account (
  account_id text PRIMARY KEY,
  vault text NOT NULL,
  asset text NOT NULL,
  kind text NOT NULL,
  may_overdraw boolean NOT NULL,
  debits numeric(78,0) NOT NULL DEFAULT 0 CHECK (debits >= 0),
  credits numeric(78,0) NOT NULL DEFAULT 0 CHECK (credits >= 0),
  UNIQUE (vault, asset, kind),
  CONSTRAINT account_names_itself CHECK (account_id = vault || '/' || asset || '/' || kind),
  CONSTRAINT account_overdraft CHECK (may_overdraw OR credits >= debits)
);

CREATE TABLE transfer (
  transfer_id bytea PRIMARY KEY CHECK (octet_length(transfer_id) = 32),
  posted_no bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  source_id text NOT NULL UNIQUE CHECK (source_id <> ''),
  debit text NOT NULL REFERENCES account,
  credit text NOT NULL REFERENCES account,
  amount numeric(78,0) NOT NULL CHECK (amount > 0),
  posted_at_ns bigint NOT NULL,
  CONSTRAINT transfer_two_accounts CHECK (debit <> credit)
);
CREATE INDEX transfer_debit ON transfer (debit);
CREATE INDEX transfer_credit ON transfer (credit);

CREATE FUNCTION guard_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    IF NEW.debits <> 0 OR NEW.credits <> 0 THEN
      RAISE EXCEPTION 'account % must start empty', NEW.account_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF (NEW.account_id, NEW.vault, NEW.asset, NEW.kind, NEW.may_overdraw)
     IS DISTINCT FROM (OLD.account_id, OLD.vault, OLD.asset, OLD.kind, OLD.may_overdraw)
  THEN
    RAISE EXCEPTION 'account % is immutable', OLD.account_id USING ERRCODE = 'check_violation';
  END IF;
  -- Depth 2: this update came from the trigger of an inserted transfer, from nowhere else.
  IF pg_trigger_depth() < 2 THEN
    RAISE EXCEPTION 'account % moves by transfers alone', OLD.account_id
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON account FOR EACH ROW EXECUTE FUNCTION guard_account();
CREATE TRIGGER no_delete BEFORE DELETE OR TRUNCATE ON account EXECUTE FUNCTION refuse_change();

CREATE FUNCTION apply_transfer() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  source account;
  target account;
BEGIN
  SELECT * INTO source FROM account WHERE account_id = NEW.debit;
  SELECT * INTO target FROM account WHERE account_id = NEW.credit;
  IF (source.vault, source.asset) IS DISTINCT FROM (target.vault, target.asset) THEN
    RAISE EXCEPTION 'transfer %: % to % crosses vaults or assets', NEW.source_id, NEW.debit, NEW.credit
      USING ERRCODE = 'check_violation';
  END IF;
  UPDATE account SET debits = debits + NEW.amount WHERE account_id = NEW.debit;
  UPDATE account SET credits = credits + NEW.amount WHERE account_id = NEW.credit;
  RETURN NULL;
END $$;
CREATE TRIGGER apply AFTER INSERT ON transfer FOR EACH ROW EXECUTE FUNCTION apply_transfer();
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON transfer EXECUTE FUNCTION refuse_change();
