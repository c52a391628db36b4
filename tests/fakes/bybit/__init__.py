"""A second exchange: Bybit's v5 market data on loopback, over the same market model as the fake BingX."""
