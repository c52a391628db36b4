"""Market data: raw Parquet as the source of truth, closed bars of every timeframe, quality, downloads."""
