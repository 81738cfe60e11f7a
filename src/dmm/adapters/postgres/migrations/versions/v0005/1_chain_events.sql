-- What the chain says, block by block, as the follower read it. Nothing here is ever changed: a block
-- that a reorganisation left stays, and only final_block says which blocks count for good.

-- linked: its parent is here too, one height below. Blocks of a range that was final when it was read
-- stand alone: nobody can reorganise between them.
CREATE TABLE chain_block (
  chain text NOT NULL,
  block_hash text NOT NULL CHECK (block_hash <> ''),
  height bigint NOT NULL CHECK (height >= 0),
  parent_hash text NOT NULL,
  time_s bigint NOT NULL,
  linked boolean NOT NULL,
  PRIMARY KEY (chain, block_hash),
  -- What final_block refers to: a block together with its height.
  UNIQUE (chain, block_hash, height)
);
CREATE INDEX chain_block_height ON chain_block (chain, height);

CREATE FUNCTION guard_chain_block() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.linked AND NOT EXISTS (
    SELECT 1 FROM chain_block p WHERE p.chain = NEW.chain AND p.block_hash = NEW.parent_hash
      AND p.height = NEW.height - 1)
  THEN
    RAISE EXCEPTION 'block % of % does not stand on its parent', NEW.block_hash, NEW.chain
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON chain_block FOR EACH ROW EXECUTE FUNCTION guard_chain_block();
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON chain_block
  EXECUTE FUNCTION refuse_change();

CREATE TABLE chain_event (
  chain text NOT NULL,
  block_hash text NOT NULL,
  log_index bigint NOT NULL CHECK (log_index >= 0),
  tx_id text NOT NULL CHECK (tx_id <> ''),
  source text NOT NULL,
  name text NOT NULL,
  args jsonb NOT NULL,
  PRIMARY KEY (chain, block_hash, log_index),
  FOREIGN KEY (chain, block_hash) REFERENCES chain_block
);
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON chain_event
  EXECUTE FUNCTION refuse_change();

-- One block a height, and heights only grow: what was final stays so.
CREATE TABLE final_block (
  chain text NOT NULL,
  height bigint NOT NULL,
  block_hash text NOT NULL,
  PRIMARY KEY (chain, height),
  UNIQUE (chain, block_hash),
  FOREIGN KEY (chain, block_hash, height) REFERENCES chain_block (chain, block_hash, height)
);
CREATE FUNCTION guard_final_block() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.height <= (SELECT max(height) FROM final_block f WHERE f.chain = NEW.chain) THEN
    RAISE EXCEPTION 'block % of % lies at or below the last final one', NEW.height, NEW.chain
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON final_block FOR EACH ROW EXECUTE FUNCTION guard_final_block();
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON final_block
  EXECUTE FUNCTION refuse_change();
