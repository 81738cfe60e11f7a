-- Searches of parameters. Rows are only added: a piece that is computed again must come to the same.

CREATE TABLE parameter_search (
  search_id text PRIMARY KEY CHECK (search_id ~ '^[0-9a-f]{64}$'),
  spec jsonb NOT NULL,
  pieces bigint NOT NULL CHECK (pieces > 0),
  opened_at_ns bigint NOT NULL
);
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON parameter_search
  EXECUTE FUNCTION refuse_change();

-- digest is of the content before compression.
CREATE TABLE parameter_search_piece (
  search_id text NOT NULL REFERENCES parameter_search,
  number bigint NOT NULL CHECK (number >= 0),
  digest bytea NOT NULL CHECK (octet_length(digest) = 32),
  body bytea NOT NULL,
  PRIMARY KEY (search_id, number)
);
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON parameter_search_piece
  EXECUTE FUNCTION refuse_change();

-- A proposal changes nothing: its policy comes into force when the multisig executes it on chain.
CREATE TABLE policy_candidate (
  candidate_id bytea PRIMARY KEY CHECK (octet_length(candidate_id) = 32),
  search_id text NOT NULL REFERENCES parameter_search,
  body jsonb NOT NULL,
  proposed_at_ns bigint NOT NULL
);
CREATE INDEX policy_candidate_proposed ON policy_candidate (proposed_at_ns);
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON policy_candidate
  EXECUTE FUNCTION refuse_change();

GRANT SELECT ON parameter_search, parameter_search_piece, policy_candidate
  TO dmm_auditor, dmm_worker, dmm_flows, dmm_settler, dmm_operator;
GRANT INSERT ON parameter_search, parameter_search_piece, policy_candidate TO dmm_flows;
