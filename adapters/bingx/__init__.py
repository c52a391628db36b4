"""BingX USDT-M perpetuals for NautilusTrader: market data, and execution on the VST demo account only."""
