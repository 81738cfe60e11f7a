-- Takes version 0001 away, with everything recorded in it.

DROP TABLE rfq_quote, quote_nonce, deployment, audit_log, policy, kill_switch, transfer, account,
  attempt, slot_claim, lane, intent, legal_transition, recon_run, dispatch_run, rfq_settlement,
  buyback, reward, hedge_order, estimate, epoch_claim, market_slice, epoch_input, fill, decision, run;

DROP FUNCTION refuse_change(), guard_run(), guard_decisions(), guard_epoch_claim(), guard_intent(),
  guard_new_intent(), guard_lane(), guard_slot_claim(), guard_attempt(), guard_new_attempt(),
  guard_account(), apply_transfer(), guard_kill_switch(), guard_policy(), guard_audit_log(),
  guard_quote_nonce(), guard_rfq_quote();
