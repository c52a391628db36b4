"""Pure risk room: vocabulary, limits, sizing, portfolio, the ledger.  No engine, no I/O, no clock."""
