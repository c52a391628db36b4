-- When the venue's account settled it; 0: the desk worked the settlement out by rate and mark price.

ALTER TABLE funding ADD COLUMN ts_venue BIGINT NOT NULL DEFAULT 0;
