"""Pure risk room: vocabulary, limits, sizing, portfolio and the desk's own ledger: no engine, no I/O, no clock."""
