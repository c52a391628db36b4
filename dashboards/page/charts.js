// Equity with its drawdown below, as one SVG with a cross-hair; redrawn whole, it is small.
const SVG = "http://www.w3.org/2000/svg";
const PAD = { left: 8, right: 62, top: 10, bottom: 20 };

function make(name, attributes, parent, text) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

export function stamp(ns, withDate = true) {
  if (!ns) return "–";
  const text = new Date(ns / 1e6).toISOString();
  return withDate ? `${text.slice(5, 10)} ${text.slice(11, 16)}` : text.slice(11, 19);
}

export class EquityChart {
  constructor(svg) {
    this.svg = svg;
    this.curve = { ts: [], equity: [], drawdown_pct: [] };
    this.pointer = null;
    svg.addEventListener("pointermove", (event) => { this.pointer = event.offsetX; this.draw(); });
    svg.addEventListener("pointerleave", () => { this.pointer = null; this.draw(); });
    window.addEventListener("resize", () => this.draw());
  }

  show(curve, limit) {
    this.curve = curve;
    this.limit = limit;
    this.draw();
  }

  draw() {
    const { ts, equity, drawdown_pct: falls } = this.curve;
    const width = this.svg.clientWidth || 600, height = this.svg.clientHeight || 260;
    this.svg.replaceChildren();
    this.svg.dataset.points = String(ts.length);
    if (ts.length < 2) {
      make("text", { class: "axis-text", x: 8, y: 24 }, this.svg, "the curve begins with the second sample");
      return;
    }
    const right = width - PAD.right, split = Math.round((height - PAD.bottom) * 0.7);
    const low = Math.min(...equity), high = Math.max(...equity), room = (high - low || Math.abs(high) * 0.001 || 1) * 0.06;
    const x = (t) => PAD.left + ((t - ts[0]) / (ts.at(-1) - ts[0] || 1)) * (right - PAD.left);
    const y = (v) => split - ((v - low + room) / (high - low + 2 * room)) * (split - PAD.top);
    const deepest = Math.min(-0.1, ...falls);
    const bottom = height - PAD.bottom, z = (v) => split + 14 + (v / deepest) * (bottom - split - 18);
    for (const share of [0, 0.5, 1]) {
      const value = low + share * (high - low);
      make("line", { class: "axis", x1: PAD.left, x2: right, y1: y(value), y2: y(value) }, this.svg);
      make("text", { class: "axis-text", x: right + 6, y: y(value) + 4 }, this.svg, value.toFixed(value < 1000 ? 2 : 0));
    }
    const points = ts.map((t, i) => `${x(t).toFixed(1)},${y(equity[i]).toFixed(1)}`);
    make("path", { class: "fill", d: `M ${x(ts[0])},${split} L ${points.join(" ")} L ${x(ts.at(-1))},${split} Z` }, this.svg);
    make("polyline", { class: "curve", points: points.join(" ") }, this.svg);
    const fall = ts.map((t, i) => `${x(t).toFixed(1)},${z(falls[i]).toFixed(1)}`);
    make("path", { class: "fall", d: `M ${x(ts[0])},${z(0)} L ${fall.join(" ")} L ${x(ts.at(-1))},${z(0)} Z` }, this.svg);
    make("line", { class: "axis", x1: PAD.left, x2: right, y1: z(0), y2: z(0) }, this.svg);
    make("text", { class: "axis-text", x: right + 6, y: z(deepest) + 2 }, this.svg, `${deepest.toFixed(2)} %`);
    if (this.limit && this.limit >= deepest) make("line", { class: "limit", x1: PAD.left, x2: right, y1: z(this.limit), y2: z(this.limit) }, this.svg);
    make("text", { class: "axis-text", x: PAD.left, y: height - 5 }, this.svg, stamp(ts[0]));
    make("text", { class: "axis-text", x: right, y: height - 5, "text-anchor": "end" }, this.svg, stamp(ts.at(-1)));
    this.cross(x, y, split, right, bottom);
  }

  cross(x, y, split, right, bottom) {
    if (this.pointer === null) return;
    const { ts, equity, drawdown_pct: falls } = this.curve;
    let best = 0;
    ts.forEach((t, i) => { if (Math.abs(x(t) - this.pointer) < Math.abs(x(ts[best]) - this.pointer)) best = i; });
    const at = x(ts[best]);
    make("line", { class: "cross", x1: at, x2: at, y1: PAD.top, y2: bottom }, this.svg);
    make("circle", { class: "dot", cx: at, cy: y(equity[best]), r: 3.5 }, this.svg);
    const end = at > right / 2;
    const text = `${stamp(ts[best])}  ${equity[best].toFixed(2)} USDT  ${falls[best].toFixed(2)} %`;
    make("text", { class: "tip", x: at + (end ? -8 : 8), y: PAD.top + 10, "text-anchor": end ? "end" : "start" }, this.svg, text);
  }
}
