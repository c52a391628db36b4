"""Market data of any exchange that ccxt knows, without a key: for the desk with sandbox execution."""
