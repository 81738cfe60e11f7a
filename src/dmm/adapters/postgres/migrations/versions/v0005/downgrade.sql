-- Rights go with the tables of this database; a role goes unless another database still uses it.

DROP TRIGGER readable ON journal_partition;
DROP FUNCTION grant_partition();
ALTER FUNCTION open_partition(text, text, bigint) SECURITY INVOKER;
ALTER FUNCTION drop_partition(text) SECURITY INVOKER;
ALTER FUNCTION open_partition(text, text, bigint) RESET ALL;
ALTER FUNCTION open_partitions(text, text, bigint, bigint) RESET ALL;
ALTER FUNCTION drop_partition(text) RESET ALL;
GRANT EXECUTE ON FUNCTION open_partition(text, text, bigint), open_partitions(text, text, bigint, bigint),
  drop_partition(text) TO PUBLIC;

DROP TABLE final_block, chain_event, chain_block;
DROP FUNCTION guard_final_block(), guard_chain_block();

DO $$
DECLARE
  gone text;
BEGIN
  FOREACH gone IN ARRAY ARRAY['dmm_auditor', 'dmm_worker', 'dmm_flows', 'dmm_settler', 'dmm_signer',
                              'dmm_operator'] LOOP
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = gone) THEN
      EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA public FROM %I', gone);
      EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM %I', gone);
      EXECUTE format('REVOKE ALL ON SCHEMA public FROM %I', gone);
      BEGIN
        EXECUTE format('DROP ROLE %I', gone);
      EXCEPTION
        WHEN dependent_objects_still_exist OR insufficient_privilege THEN NULL;
      END;
    END IF;
  END LOOP;
END $$;
