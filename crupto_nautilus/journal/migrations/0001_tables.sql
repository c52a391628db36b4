-- {identity} is the dialect's growing key.  Reals may be NULL: a NaN is stored as NULL, and a refusal has no costs.
-- No foreign keys: every write updates its row of `runs` in the same transaction, so the run is known to exist.

CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    mode TEXT NOT NULL,
    command TEXT NOT NULL,
    start_ns BIGINT NOT NULL,
    end_ns BIGINT,
    exit_reason TEXT,
    config_hash TEXT NOT NULL,
    governance_hash TEXT NOT NULL,
    data_fingerprint TEXT NOT NULL,
    git_revision TEXT NOT NULL,
    record TEXT NOT NULL,
    summary TEXT,
    last_seq BIGINT NOT NULL,
    writer TEXT NOT NULL
);

CREATE TABLE state (
    run_id TEXT PRIMARY KEY,
    seq BIGINT NOT NULL,
    ts_event BIGINT NOT NULL,
    state TEXT NOT NULL
);

CREATE TABLE positions (
    run_id TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    strategy TEXT NOT NULL,
    instrument TEXT NOT NULL,
    side BIGINT NOT NULL,
    ts_open BIGINT NOT NULL,
    ts_event BIGINT NOT NULL,
    ts_close BIGINT,
    entered DOUBLE PRECISION NOT NULL,
    entry_value DOUBLE PRECISION NOT NULL,
    exited DOUBLE PRECISION NOT NULL,
    exit_value DOUBLE PRECISION NOT NULL,
    stop_price DOUBLE PRECISION,
    virtual_asset TEXT NOT NULL,
    PRIMARY KEY (run_id, trace_id)
);

CREATE TABLE signals (
    id {identity},
    run_id TEXT NOT NULL,
    ts_event BIGINT NOT NULL,
    trace_id TEXT NOT NULL,
    strategy TEXT NOT NULL,
    instrument TEXT NOT NULL,
    minutes BIGINT NOT NULL,
    side BIGINT NOT NULL,
    reference_price DOUBLE PRECISION,
    stop_distance DOUBLE PRECISION,
    stop_price DOUBLE PRECISION,
    confidence DOUBLE PRECISION,
    atr DOUBLE PRECISION,
    entry_style TEXT NOT NULL,
    indicators TEXT NOT NULL
);

CREATE TABLE decisions (
    id {identity},
    run_id TEXT NOT NULL,
    ts_event BIGINT NOT NULL,
    trace_id TEXT NOT NULL,
    strategy TEXT NOT NULL,
    instrument TEXT NOT NULL,
    side BIGINT NOT NULL,
    approved BOOLEAN NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    quantity DOUBLE PRECISION,
    risk_usd DOUBLE PRECISION,
    risk_pct DOUBLE PRECISION,
    notional_usd DOUBLE PRECISION,
    stop_price DOUBLE PRECISION,
    cost_r DOUBLE PRECISION,
    expected_slippage_bps DOUBLE PRECISION,
    entry_style TEXT NOT NULL,
    children TEXT NOT NULL,
    clamps TEXT NOT NULL
);

CREATE TABLE orders (
    id {identity},
    run_id TEXT NOT NULL,
    ts_event BIGINT NOT NULL,
    trace_id TEXT NOT NULL,
    strategy TEXT NOT NULL,
    instrument TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    role TEXT NOT NULL,
    action TEXT NOT NULL,
    side BIGINT NOT NULL,
    quantity DOUBLE PRECISION,
    price DOUBLE PRECISION,
    order_type TEXT NOT NULL,
    reduce_only BOOLEAN NOT NULL,
    reason TEXT NOT NULL,
    virtual_asset TEXT NOT NULL
);

CREATE TABLE fills (
    id {identity},
    run_id TEXT NOT NULL,
    ts_event BIGINT NOT NULL,
    ts_venue BIGINT NOT NULL,
    trace_id TEXT NOT NULL,
    strategy TEXT NOT NULL,
    instrument TEXT NOT NULL,
    client_order_id TEXT NOT NULL,
    role TEXT NOT NULL,
    side BIGINT NOT NULL,
    quantity DOUBLE PRECISION,
    price DOUBLE PRECISION,
    fee DOUBLE PRECISION,
    slippage_usd DOUBLE PRECISION,
    maker BOOLEAN NOT NULL,
    virtual_asset TEXT NOT NULL
);

CREATE TABLE trades (
    id {identity},
    run_id TEXT NOT NULL,
    ts_open BIGINT NOT NULL,
    ts_event BIGINT NOT NULL,
    trace_id TEXT NOT NULL,
    strategy TEXT NOT NULL,
    instrument TEXT NOT NULL,
    side BIGINT NOT NULL,
    quantity DOUBLE PRECISION,
    entry_price DOUBLE PRECISION,
    exit_price DOUBLE PRECISION,
    gross_usd DOUBLE PRECISION,
    fees_usd DOUBLE PRECISION,
    slippage_usd DOUBLE PRECISION,
    funding_usd DOUBLE PRECISION,
    net_usd DOUBLE PRECISION,
    risk_usd DOUBLE PRECISION,
    r DOUBLE PRECISION,
    exit_reason TEXT NOT NULL,
    virtual_asset TEXT NOT NULL
);

CREATE TABLE funding (
    id {identity},
    run_id TEXT NOT NULL,
    ts_event BIGINT NOT NULL,
    trace_id TEXT NOT NULL,
    strategy TEXT NOT NULL,
    instrument TEXT NOT NULL,
    side BIGINT NOT NULL,
    quantity DOUBLE PRECISION,
    price DOUBLE PRECISION,
    rate DOUBLE PRECISION,
    amount_usd DOUBLE PRECISION
);

CREATE TABLE equity_snapshots (
    id {identity},
    run_id TEXT NOT NULL,
    ts_event BIGINT NOT NULL,
    equity DOUBLE PRECISION,
    balance DOUBLE PRECISION,
    margin DOUBLE PRECISION,
    unrealised_pnl DOUBLE PRECISION,
    daily_pnl_pct DOUBLE PRECISION,
    drawdown_72h_pct DOUBLE PRECISION,
    open_risk_pct DOUBLE PRECISION,
    reserved_risk_pct DOUBLE PRECISION,
    gross_pct DOUBLE PRECISION,
    net_pct DOUBLE PRECISION,
    effective_cap_pct DOUBLE PRECISION,
    desk_state TEXT NOT NULL,
    cum_r DOUBLE PRECISION,
    cause TEXT NOT NULL
);

CREATE TABLE agent_calls (
    id {identity},
    run_id TEXT NOT NULL,
    ts_event BIGINT NOT NULL,
    agent TEXT NOT NULL,
    capability TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    duration_ns BIGINT NOT NULL,
    state TEXT NOT NULL,
    error TEXT NOT NULL
);

CREATE TABLE desk_states (
    id {identity},
    run_id TEXT NOT NULL,
    ts_event BIGINT NOT NULL,
    mode TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    cooling_until_ns BIGINT NOT NULL,
    flatten BOOLEAN NOT NULL
);

-- Everything else the desk says: regimes, mandates, safe mode, protections, finished entries, alarms.
CREATE TABLE events (
    id {identity},
    run_id TEXT NOT NULL,
    ts_event BIGINT NOT NULL,
    kind TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    strategy TEXT NOT NULL,
    instrument TEXT NOT NULL,
    payload TEXT NOT NULL
);
