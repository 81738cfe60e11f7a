-- Each update of an account leaves a version behind that the next one walks past until the commit:
-- a plan of n transfers took n * n steps. Totals of a statement's transfers move them once.

CREATE FUNCTION apply_transfers() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  crossing record;
BEGIN
  SELECT t.source_id, t.debit, t.credit INTO crossing
    FROM added t JOIN account source ON source.account_id = t.debit
    JOIN account target ON target.account_id = t.credit
    WHERE (source.vault, source.asset) IS DISTINCT FROM (target.vault, target.asset) LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'transfer %: % to % crosses vaults or assets',
      crossing.source_id, crossing.debit, crossing.credit USING ERRCODE = 'check_violation';
  END IF;
  UPDATE account a SET debits = a.debits + moved.debits, credits = a.credits + moved.credits
    FROM (SELECT side.account_id, sum(side.debits) AS debits, sum(side.credits) AS credits
          FROM (SELECT debit AS account_id, amount AS debits, 0::numeric AS credits FROM added
                UNION ALL SELECT credit, 0::numeric, amount FROM added) side
          GROUP BY side.account_id) moved
    WHERE a.account_id = moved.account_id;
  RETURN NULL;
END $$;
DROP TRIGGER apply ON transfer;
CREATE TRIGGER apply AFTER INSERT ON transfer REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION apply_transfers();
DROP FUNCTION apply_transfer();
