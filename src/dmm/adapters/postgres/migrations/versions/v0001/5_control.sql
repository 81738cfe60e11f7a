-- Kill switch, policy, audit log, deployments, firm quotes.

-- One row when a kill latches, one when an executed order releases it; the last row holds.
CREATE TABLE kill_switch (
  event_no bigint PRIMARY KEY CHECK (event_no >= 1),
  kill_id bigint NOT NULL,
  killed boolean NOT NULL,
  reason text NOT NULL,
  operator text NOT NULL,
  at_ns bigint NOT NULL,
  order_sequence bigint UNIQUE,
  UNIQUE (kill_id, killed),
  CONSTRAINT kill_switch_released_by_order CHECK (killed = (order_sequence IS NULL))
);
CREATE FUNCTION guard_kill_switch() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  last kill_switch;
BEGIN
  SELECT * INTO last FROM kill_switch ORDER BY event_no DESC LIMIT 1;
  IF NEW.event_no <> coalesce(last.event_no, 0) + 1
     OR NEW.killed = coalesce(last.killed, false)
     OR NEW.kill_id <> coalesce(last.kill_id, 0) + NEW.killed::int
  THEN
    RAISE EXCEPTION 'kill switch event % does not follow %', NEW.event_no, coalesce(last.event_no, 0)
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON kill_switch FOR EACH ROW EXECUTE FUNCTION guard_kill_switch();
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON kill_switch EXECUTE FUNCTION refuse_change();

CREATE TABLE policy (
  sequence bigint PRIMARY KEY CHECK (sequence >= 0),
  body bytea NOT NULL CHECK (octet_length(body) <= 4096),
  previous_head bytea NOT NULL CHECK (octet_length(previous_head) = 32),
  head bytea NOT NULL UNIQUE CHECK (octet_length(head) = 32),
  chain text NOT NULL,
  height bigint NOT NULL,
  tx_id text NOT NULL,
  adopted_at_ns bigint NOT NULL
);
CREATE FUNCTION guard_policy() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  last policy;
BEGIN
  SELECT * INTO last FROM policy ORDER BY sequence DESC LIMIT 1;
  IF FOUND AND (NEW.sequence <= last.sequence OR NEW.previous_head <> last.head) THEN
    RAISE EXCEPTION 'policy % does not extend the head, which is %', NEW.sequence, last.sequence
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON policy FOR EACH ROW EXECUTE FUNCTION guard_policy();
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON policy EXECUTE FUNCTION refuse_change();

-- record is the canonical JSON of seq, at_ns, actor, action and body: what the hash covers.
CREATE TABLE audit_log (
  seq bigint PRIMARY KEY,
  at_ns bigint NOT NULL,
  actor text NOT NULL,
  action text NOT NULL,
  body jsonb NOT NULL,
  record bytea NOT NULL,
  previous_hash bytea NOT NULL CHECK (octet_length(previous_hash) = 32),
  link_hash bytea NOT NULL,
  CONSTRAINT audit_log_link CHECK (link_hash = sha256(previous_hash || sha256(record))),
  CONSTRAINT audit_log_record CHECK (convert_from(record, 'UTF8')::jsonb = jsonb_build_object(
    'seq', seq, 'at_ns', at_ns, 'actor', actor, 'action', action, 'body', body))
);
CREATE FUNCTION guard_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  last audit_log;
BEGIN
  SELECT * INTO last FROM audit_log ORDER BY seq DESC LIMIT 1;
  IF NEW.seq <> coalesce(last.seq, 0) + 1
     OR NEW.previous_hash <> coalesce(last.link_hash, decode(repeat('00', 32), 'hex'))
  THEN
    RAISE EXCEPTION 'audit record % breaks the hash chain', NEW.seq USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION guard_audit_log();
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log EXECUTE FUNCTION refuse_change();

CREATE TABLE deployment (
  chain text NOT NULL,
  name text NOT NULL,
  address text NOT NULL,
  height bigint NOT NULL,
  decimals bigint NOT NULL CHECK (decimals >= 0),
  PRIMARY KEY (chain, name)
);
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON deployment EXECUTE FUNCTION refuse_change();

CREATE TABLE quote_nonce (
  maker text PRIMARY KEY,
  next_nonce bigint NOT NULL CHECK (next_nonce >= 0)
);
CREATE FUNCTION guard_quote_nonce() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.maker <> OLD.maker OR NEW.next_nonce < OLD.next_nonce THEN
    RAISE EXCEPTION 'nonces of maker % went back', OLD.maker USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON quote_nonce FOR EACH ROW EXECUTE FUNCTION guard_quote_nonce();
CREATE TRIGGER no_delete BEFORE DELETE OR TRUNCATE ON quote_nonce EXECUTE FUNCTION refuse_change();

CREATE TABLE rfq_quote (
  quote_id bytea PRIMARY KEY CHECK (octet_length(quote_id) = 32),
  run_id text NOT NULL REFERENCES run,
  epoch bigint NOT NULL,
  maker text NOT NULL,
  nonce bigint NOT NULL CHECK (nonce >= 0),
  quote jsonb NOT NULL,
  maker_signature bytea NOT NULL,
  fair_half_ticks bigint NOT NULL,
  issued_at_ns bigint NOT NULL,
  accepted_amount numeric(78,0) CHECK (accepted_amount > 0),
  accepted_recipient text,
  taker_signature bytea NOT NULL DEFAULT '',
  accepted_at_ns bigint,
  UNIQUE (maker, nonce),
  CONSTRAINT rfq_quote_accepted_whole CHECK (
    (accepted_amount IS NULL) = (accepted_recipient IS NULL)
    AND (accepted_amount IS NULL) = (accepted_at_ns IS NULL)),
  CONSTRAINT rfq_quote_names_itself CHECK (quote ->> 'maker' = maker AND (quote ->> 'nonce')::bigint = nonce)
);
CREATE INDEX rfq_quote_epoch ON rfq_quote (run_id, epoch, nonce);
CREATE FUNCTION guard_rfq_quote() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.accepted_amount IS NOT NULL
     OR (NEW.quote_id, NEW.run_id, NEW.epoch, NEW.maker, NEW.nonce, NEW.quote, NEW.maker_signature,
         NEW.fair_half_ticks, NEW.issued_at_ns)
        IS DISTINCT FROM
        (OLD.quote_id, OLD.run_id, OLD.epoch, OLD.maker, OLD.nonce, OLD.quote, OLD.maker_signature,
         OLD.fair_half_ticks, OLD.issued_at_ns)
  THEN
    RAISE EXCEPTION 'quote % of % may only be accepted, once', OLD.nonce, OLD.maker
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON rfq_quote FOR EACH ROW EXECUTE FUNCTION guard_rfq_quote();
CREATE TRIGGER no_delete BEFORE DELETE OR TRUNCATE ON rfq_quote EXECUTE FUNCTION refuse_change();
