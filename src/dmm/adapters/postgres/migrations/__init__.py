"""The journal's schema, version by version; run by `dmm.adapters.postgres.migrate`."""
