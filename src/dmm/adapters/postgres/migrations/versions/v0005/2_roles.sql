-- Group roles without login: a process connects as a member of one of them.
-- Roles belong to the server, not to the database: they may be there already.
DO $$
DECLARE
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['dmm_auditor', 'dmm_worker', 'dmm_flows', 'dmm_settler', 'dmm_signer',
                                'dmm_operator'] LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
      EXCEPTION
        WHEN duplicate_object OR unique_violation THEN
          NULL;  -- another database of this server was migrated at the same moment
        WHEN insufficient_privilege THEN
          RAISE EXCEPTION 'role % is missing and % may not make it: run infra/postgres/roles.sql once',
            wanted, current_user USING ERRCODE = 'insufficient_privilege';
      END;
    END IF;
  END LOOP;
END $$;
