DROP TRIGGER apply ON transfer;
DROP FUNCTION apply_transfers();
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
