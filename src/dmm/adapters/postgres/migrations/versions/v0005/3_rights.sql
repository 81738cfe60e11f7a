-- Who may do what.
-- Everybody reads everything but the signed bytes; each writes its own. Where a right is wider than
-- the need (a table lock asks for UPDATE), the triggers of the table refuse what is not meant.

GRANT USAGE ON SCHEMA public TO dmm_auditor, dmm_worker, dmm_flows, dmm_settler, dmm_signer, dmm_operator;

-- -- reading

GRANT SELECT ON ALL TABLES IN SCHEMA public TO dmm_auditor, dmm_worker, dmm_flows, dmm_settler, dmm_operator;
REVOKE SELECT ON attempt FROM dmm_auditor, dmm_worker, dmm_flows, dmm_operator;
DO $$
BEGIN
  EXECUTE format(
    'GRANT SELECT (%s) ON attempt TO dmm_auditor, dmm_worker, dmm_flows, dmm_operator',
    (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
     WHERE attrelid = 'attempt'::regclass AND attnum > 0 AND NOT attisdropped AND attname <> 'raw'));
END $$;
GRANT SELECT ON kill_switch, halt_latch, adopt_only, alembic_version TO dmm_signer;

-- -- writing: what several need

GRANT INSERT ON account, transfer TO dmm_worker, dmm_flows, dmm_settler;
GRANT UPDATE (debits, credits) ON account TO dmm_worker, dmm_flows, dmm_settler;
GRANT INSERT, UPDATE ON audit_log, kill_switch, halt_latch
  TO dmm_worker, dmm_flows, dmm_settler, dmm_operator;
GRANT INSERT ON chain_block, chain_event, final_block TO dmm_flows, dmm_settler;
GRANT UPDATE (finished_at_ns) ON run TO dmm_worker, dmm_flows;

-- -- the quoting worker

GRANT INSERT ON run, decision, fill, market_slice, epoch_input TO dmm_worker;

-- -- the flows: plans of epochs, quotes, policies, pruning

GRANT INSERT ON fill, epoch_input, epoch_claim, estimate, hedge_order, reward, buyback, rfq_settlement,
  dispatch_run, recon_run, intent, rfq_quote, quote_nonce, policy, journal_anchor TO dmm_flows;
GRANT UPDATE (plan_hash, quarantined, note, row_counts) ON epoch_claim TO dmm_flows;
GRANT UPDATE (state, fence, lease_owner, lease_until, quarantine_reason, due_at, closed_height, proof)
  ON intent TO dmm_flows;
GRANT INSERT ON quarantine_release TO dmm_flows;
GRANT UPDATE (accepted_amount, accepted_recipient, taker_signature, accepted_at_ns) ON rfq_quote
  TO dmm_flows;
GRANT UPDATE (next_nonce) ON quote_nonce TO dmm_flows;
GRANT UPDATE ON policy, decision, fill, market_slice TO dmm_flows;

-- -- the driver

GRANT INSERT ON attempt, lane, slot_claim, dispatch_run, epoch_claim TO dmm_settler;
GRANT UPDATE (state, broadcasts, landed_height, landed_block) ON attempt TO dmm_settler;
GRANT UPDATE (next_slot) ON lane TO dmm_settler;
GRANT UPDATE (retired_height, proof) ON slot_claim TO dmm_settler;
GRANT INSERT ON adopt_only TO dmm_settler;
GRANT UPDATE (plan_hash, quarantined, note, row_counts) ON epoch_claim TO dmm_settler;
DO $$
BEGIN
  -- All that is not the content of an intent: the trigger guards the content.
  EXECUTE format('GRANT UPDATE (%s) ON intent TO dmm_settler',
    (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
     WHERE attrelid = 'intent'::regclass AND attnum > 0 AND NOT attisdropped
       AND attname NOT IN ('intent_id', 'recorded_no', 'run_id', 'content_hash', 'kind', 'chain', 'contract',
                           'vault', 'scope', 'epoch', 'ordinal', 'asset', 'recipient', 'amount',
                           'deadline_s', 'inputs', 'supersedes')));
END $$;

-- -- a person at a terminal: kill, reset, release, set-up

GRANT INSERT ON deployment TO dmm_operator;
GRANT INSERT, UPDATE ON policy TO dmm_operator;

-- -- partitions are made and dropped by these functions, with the rights of whoever owns the tables

ALTER FUNCTION open_partition(text, text, bigint) SECURITY DEFINER SET search_path = public, pg_temp;
ALTER FUNCTION open_partitions(text, text, bigint, bigint) SET search_path = public, pg_temp;
ALTER FUNCTION drop_partition(text) SECURITY DEFINER SET search_path = public, pg_temp;
REVOKE EXECUTE ON FUNCTION open_partition(text, text, bigint), open_partitions(text, text, bigint, bigint),
  drop_partition(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION open_partition(text, text, bigint), open_partitions(text, text, bigint, bigint)
  TO dmm_worker, dmm_flows;
GRANT EXECUTE ON FUNCTION drop_partition(text) TO dmm_flows;

-- Whoever may read the table may read a partition by its own name: pruning and archives do.
CREATE FUNCTION grant_partition() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
  -- Deferred to the end of the transaction: the row comes before the table it is about.
  IF to_regclass(quote_ident(NEW.partition)) IS NOT NULL THEN
    EXECUTE format('GRANT SELECT ON %I TO dmm_auditor, dmm_worker, dmm_flows, dmm_settler, dmm_operator',
                   NEW.partition);
  END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER readable AFTER INSERT ON journal_partition DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION grant_partition();
DO $$
DECLARE
  made text;
BEGIN
  FOR made IN SELECT p.partition FROM journal_partition p
              WHERE NOT EXISTS (SELECT 1 FROM journal_anchor a WHERE a.partition = p.partition) LOOP
    EXECUTE format('GRANT SELECT ON %I TO dmm_auditor, dmm_worker, dmm_flows, dmm_settler, dmm_operator', made);
  END LOOP;
END $$;
