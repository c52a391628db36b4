"""A catalog as a live feed: the same instants as in a backtest, through a live data client."""
