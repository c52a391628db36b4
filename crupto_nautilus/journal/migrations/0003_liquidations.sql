-- What the venue bore of a liquidated position; NULL in rows of older programs: none was settled then.

ALTER TABLE fills ADD COLUMN liquidation_usd DOUBLE PRECISION;
ALTER TABLE trades ADD COLUMN liquidation_usd DOUBLE PRECISION;
