-- Run once by the server's administrator where the login that migrates may make no roles:
--
--   psql -d postgres -f infra/postgres/roles.sql
--
-- Group roles without login; migration 0005 grants their rights in each database. A login is a member of
-- one of them: CREATE ROLE desk_worker LOGIN PASSWORD '...' IN ROLE dmm_worker;
--
--   dmm_worker    dmm-worker.service        dmm_settler   dmm-settler.service, and the flow outbox_dispatch
--   dmm_flows     dmm-flows.service         dmm_signer    dmm-signer@.service: reads the latches
--   dmm_auditor   dmm audit: reads all but signed bytes, writes nothing
--   dmm_operator  a person at a terminal: dmm kill, dmm resume, dmm reset
--
-- The login that migrates and restores owns the database and is a member of none.

DO $$
DECLARE
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['dmm_auditor', 'dmm_worker', 'dmm_flows', 'dmm_settler', 'dmm_signer',
                                'dmm_operator'] LOOP
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = wanted) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
    END IF;
  END LOOP;
END $$;
