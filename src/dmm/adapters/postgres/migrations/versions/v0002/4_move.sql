-- What version 0001 recorded goes into partitions; the triggers check every link once more.

DO $$
DECLARE
  part record;
  width bigint := partition_width('decision');
BEGIN
  FOR part IN SELECT DISTINCT run_id, seq - seq % width AS first FROM decision_v0001 ORDER BY 1, 2 LOOP
    PERFORM open_partition('decision', part.run_id, part.first);
    INSERT INTO decision (run_id, seq, epoch, decided_at_ns, body, previous_hash, link_hash)
    SELECT run_id, seq, epoch, decided_at_ns, body, previous_hash, link_hash FROM decision_v0001
    WHERE run_id = part.run_id AND seq >= part.first AND seq < part.first + width ORDER BY seq;
  END LOOP;
END $$;

DO $$
DECLARE
  part record;
  width bigint := partition_width('market_slice');
BEGIN
  FOR part IN SELECT DISTINCT run_id FROM fill_v0001 LOOP
    PERFORM open_partition('fill', part.run_id, 0);
  END LOOP;
  FOR part IN SELECT DISTINCT run_id, epoch - epoch % width AS first FROM market_slice_v0001 LOOP
    PERFORM open_partition('market_slice', part.run_id, part.first);
  END LOOP;
END $$;
INSERT INTO fill (fill_id, run_id, epoch, ordinal, venue, symbol, client_id, side, price, size, mid,
  fee_atoms, filled_at_ns, is_hedge)
SELECT fill_id, run_id, epoch, ordinal, venue, symbol, client_id, side, price, size, mid, fee_atoms,
  filled_at_ns, is_hedge FROM fill_v0001;
INSERT INTO market_slice (run_id, epoch, started_at_ns, ended_at_ns, events, decisions, quotes, fills,
  position_lots, mid_half_ticks, spread_captured_atoms, fees_atoms, bids, asks, grid_mid_half_ticks,
  trade_at_ns, trade_depth_half_ticks, trade_size_lots, trade_is_buy)
SELECT run_id, epoch, started_at_ns, ended_at_ns, events, decisions, quotes, fills, position_lots,
  mid_half_ticks, spread_captured_atoms, fees_atoms, bids, asks, grid_mid_half_ticks, trade_at_ns,
  trade_depth_half_ticks, trade_size_lots, trade_is_buy FROM market_slice_v0001;

DROP TABLE decision_v0001, fill_v0001, market_slice_v0001;
