// The page of a desk: asks the server twice a second, draws what it says, and says so when it is silent.
import { EquityChart, stamp } from "./charts.js";
import { Graph } from "./graph.js";

const EVERY_MS = 400, PATIENCE_MS = 4000;
const byId = (id) => document.getElementById(id);
const state = { seen: 0, failures: 0, updates: 0, finished: false, decisions: "" };

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const number = (value, digits = 2) => (Number.isFinite(value) ? value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }) : "–");
const signed = (value, digits = 2) => (value > 0 ? "+" : value < 0 ? "−" : "") + number(Math.abs(value), digits);
const tone = (value) => (value > 0 ? "pos" : value < 0 ? "neg" : "");
const coin = (name) => name.split(".")[0].replace(/-?PERP$/, "").replace(/-?USDT$/, "");
const price = (value) => (Number.isFinite(value) && value ? Number(value.toPrecision(7)).toString() : "–");

function toned(value, text) { return element("span", { class: tone(value) }, text); }
function empty(text) { return element("p", { class: "empty" }, text); }

function table(heads, rows, none) {
  if (!rows.length) return empty(none);
  const text = heads.map((head) => head.startsWith("<"));
  const line = (cells, tag) => element("tr", {}, ...cells.map((cell, i) => element(tag, text[i] ? { class: "text" } : {}, cell)));
  const head = line(heads.map((name) => name.replace("<", "")), "th");
  return element("div", { class: "scroll" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows.map((row) => line(row, "td")))));
}

function tile(name, value, under, share = null, className = "") {
  const made = element("div", { class: "tile", "data-tile": name }, element("div", { class: "name" }, name), element("div", { class: `value ${className}` }, value), element("div", { class: "under" }, under));
  if (share !== null && Number.isFinite(share)) {
    const bar = element("div", { class: `bar ${share >= 1 ? "over" : share >= 0.75 ? "near" : ""}` }, element("i", { style: `width:${Math.max(0, Math.min(1, share)) * 100}%` }));
    made.append(bar);
  }
  return made;
}

function showTiles({ books: b, limits: l }) {
  if (b.equity === undefined) return;
  const risk = b.open_risk_pct + b.reserved_risk_pct;
  byId("tiles").replaceChildren(
    tile("Equity", number(b.equity), `${number(b.balance)} balance, ${signed(b.unrealised)} open`),
    tile("Net PnL", signed(b.net_pnl), `${signed((100 * b.net_pnl) / b.start_balance)} %, ${signed(b.cum_r, 1)} R`, null, tone(b.net_pnl)),
    tile("Today", `${signed(b.daily_pnl_pct)} %`, `locks at ${number(l.daily_loss_pct, 1)} %`, b.daily_pnl_pct / l.daily_loss_pct, tone(b.daily_pnl_pct)),
    tile("Drawdown 72 h", `${signed(b.drawdown_72h_pct)} %`, `halts at ${number(l.drawdown_72h_pct, 1)} %, worst ${number(b.max_drawdown_pct, 1)} %`, b.drawdown_72h_pct / l.drawdown_72h_pct),
    tile("Open risk", `${number(risk)} %`, `of ${number(b.effective_cap_pct)} %, ${number(b.reserved_risk_pct)} % reserved`, risk / b.effective_cap_pct),
    tile("Gross", `${number(b.gross_pct, 0)} %`, `of ${number(l.gross_pct, 0)} %`, b.gross_pct / l.gross_pct),
    tile("Net", `${signed(b.net_pct, 0)} %`, `within ±${number(l.net_pct, 0)} %`, Math.abs(b.net_pct) / l.net_pct),
    tile("Costs", number(b.fees + b.slippage), `${number(b.fees)} fees, ${number(b.slippage)} slippage, ${signed(b.funding)} funding`),
  );
}

function showDesk({ desk, run }) {
  const card = byId("desk");
  card.dataset.mode = desk.mode;
  byId("desk-mode").textContent = desk.mode.replace("_", " ");
  byId("desk-since").textContent = desk.since ? `since ${stamp(desk.since)}` : "since the start";
  byId("desk-reason").textContent = [desk.reason, desk.detail].filter(Boolean).join(": ") || (run.ended ? `The run has ended: ${run.ended}.` : "No lock, no halt.");
  byId("desk-still").textContent = desk.still.charAt(0).toUpperCase() + desk.still.slice(1) + "." + (desk.safe_mode ? " Safe mode: correlated positions lower the risk cap." : "");
}

function showRun({ run, desk_ts: ts }) {
  document.title = `${run.run_id} · crupto`;
  byId("run-id").textContent = run.run_id;
  const speed = run.finished ? "finished" : run.speed === 1 || run.feed !== "replay" ? "real time" : run.speed ? `${run.speed}× speed` : "as fast as it can";
  byId("run-chips").replaceChildren(...["paper money", run.feed, run.execution, speed, `${run.instruments} instruments`].filter(Boolean).map((text) => element("span", { class: "chip" }, text)));
  byId("clock").textContent = ts ? `${stamp(ts)} UTC` : "warming up";
}

function showPositions({ positions, books }) {
  byId("positions-note").textContent = positions.length ? `${positions.length} open, risk ${number(books.open_risk_pct)} % of ${number(books.effective_cap_pct)} %` : "";
  const rows = positions.map((p) => [
    element("span", {}, `${coin(p.instrument)} `, element("span", { class: `chip ${p.side > 0 ? "good" : "bad"}` }, p.side > 0 ? "long" : "short")),
    p.strategy, price(p.entry_price), price(p.mark),
    element("span", { class: p.unprotected ? "neg" : "" }, p.unprotected ? "NO STOP" : `${price(p.stop)}${p.stop_working ? "" : " (pending)"}`),
    toned(p.unrealised, signed(p.unrealised)), `${number(p.risk_pct)} %`,
  ]);
  byId("positions").replaceChildren(table(["Position", "<Strategy", "Entry", "Mark", "Stop", "Open PnL", "Risk"], rows, "flat: nothing is held"));
}

function showRefusals({ refusals, run }) {
  byId("refusals-note").textContent = run.finished ? "refusals of the whole run" : "refusals, last day of desk time";
  const most = Math.max(1, ...refusals.map((r) => r.count));
  const bars = refusals.flatMap((r) => [element("span", {}, r.reason), element("div", { class: "bar" }, element("i", { style: `width:${(100 * r.count) / most}%` })), element("span", {}, String(r.count))]);
  byId("refusals").replaceChildren(refusals.length ? element("div", { class: "reasons" }, ...bars) : empty("no refusals: no signal was refused in the last day"));
}

function showStrategies({ strategies }) {
  const rows = [...strategies].map((s) => {
    const why = Object.entries(s.not_allowed).map(([reason, n]) => `${reason} ${n}×`).join(", ");
    const where = s.allowed_on.length ? s.allowed_on.map(coin).join(" ") : why || "no mandate yet";
    return [s.strategy, element("span", { class: `chip ${s.allowed_on.length ? "good" : ""}`, title: why }, where), `${s.signals}`, `${s.approved}`, s.trades ? `${s.wins}/${s.trades}` : "–", toned(s.net_usd, signed(s.net_usd))];
  });
  byId("strategies").replaceChildren(table(["Strategy", "<May trade", "Signals", "Approved", "Wins", "Net"], rows, "no strategies"));
}

function showLists({ regimes, trades, alarms }) {
  byId("regimes").replaceChildren(...regimes.map((r) => element("li", { "data-regime": r.label, title: r.since ? `since ${stamp(r.since)}` : "" }, coin(r.instrument), element("span", {}, r.label.replace("_", " ")))));
  byId("trades").replaceChildren(table(["Trade", "<Strategy", "<Exit", "R", "Net"], trades.map((t) => [`${coin(t.instrument)} ${t.side}`, t.strategy, t.exit_reason, toned(t.r, signed(t.r)), toned(t.net_usd, signed(t.net_usd))]), "no closed trades yet"));
  byId("alarms").replaceChildren(table(["Alarm", "<Detail"], alarms.map((a) => [element("span", { class: "chip bad" }, a.kind), `${a.subject}: ${a.detail}`]), "none"));
}

function showDecisions({ decisions }) {
  const key = decisions.map((d) => d.trace_id + d.reason).join();
  if (key === state.decisions) return;
  state.decisions = key;
  const items = decisions.map((d) => {
    const verdict = element("span", { class: `chip ${d.approved ? "good" : "warn"}` }, d.approved ? "approved" : d.reason);
    return element("li", { "data-trace": d.trace_id }, element("div", { class: "head" }, verdict, element("span", {}, `${coin(d.instrument)} ${d.side}`), element("time", {}, stamp(d.ts_event))), element("div", { class: "detail" }, [d.strategy, d.detail].filter(Boolean).join(": ")));
  });
  byId("decisions").replaceChildren(...(items.length ? items : [empty("no signal yet")]));
}

function connected(run) {
  state.seen = Date.now();
  state.failures = 0;
  state.finished = run.run.finished;
  document.body.dataset.connection = state.finished ? "finished" : "live";
  byId("connection").textContent = state.finished ? "finished run" : run.run.ended ? "run ended" : "live";
  const banner = byId("banner");
  banner.hidden = !(state.finished || run.run.ended);
  banner.classList.add("calm");
  if (!banner.hidden) banner.textContent = `This run has ended (${run.run.ended}). Nothing here changes any more.`;
}

function lost(error) {
  state.failures += 1;
  if (state.failures < 2 && state.seen) return;
  document.body.dataset.connection = "gone";
  byId("connection").textContent = "no answer";
  const banner = byId("banner");
  banner.classList.remove("calm");
  banner.hidden = false;
  banner.textContent = error.token ? "The server wants a token: open the address with ?token=…" : state.seen ? `The desk is gone: no answer since ${stamp(state.seen * 1e6, false)} UTC. What is shown is the last it said; the page goes on trying.` : "There is no answer from the desk yet; the page goes on trying.";
}

async function ask(path) {
  const reply = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS), cache: "no-store", credentials: "same-origin" });
  if (!reply.ok) throw Object.assign(new Error(`${path}: ${reply.status}`), { token: reply.status === 401 });
  return reply.json();
}

const graph = new Graph(byId("graph"), (node) => {
  byId("cause").textContent = `${node.title} (${node.state}): ${node.cause || node.detail__note}`;
});
const chart = new EquityChart(byId("equity"));

async function update() {
  try {
    const [run, drawn, decided] = await Promise.all([ask("api/run"), ask("graph"), ask("api/decisions?limit=40")]);
    showRun(run);
    showDesk(run);
    showTiles(run);
    graph.show(drawn);
    const used = drawn.edges.filter((e) => e.active).length;
    byId("graph-note").textContent = `${drawn.nodes.filter((n) => n.state === "ok").length} of ${drawn.nodes.length} well, ${used} edges in use in the last ${drawn.active_s} s`;
    chart.show(run.equity, run.limits.drawdown_72h_pct);
    byId("equity-note").textContent = run.equity.ts.length > 1 ? "with the drawdown of 72 h below" : "";
    showPositions(run);
    showRefusals(run);
    showStrategies(run);
    showLists(run);
    showDecisions(decided);
    connected(run);
    document.body.dataset.updates = String(++state.updates);
  } catch (error) {
    lost(error);
  }
  setTimeout(update, state.finished ? 5000 : document.body.dataset.connection === "gone" ? 1000 : EVERY_MS);
}

byId("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
update();
