// Draws the agent graph into an SVG: agents as cards with their tools as rows, edges that move while used.
const SVG = "http://www.w3.org/2000/svg";
const CARD = { width: 178, head: 42, row: 19 };

// Centre of each card's head; strategies are stacked at `strategies`.
const WIDE = {
  box: [0, 0, 1240, 500], card: 194,
  feed: [100, 232], regime: [300, 36], brain: [300, 440], strategy: [548, 36], risk: [800, 210], exec: [1000, 36],
  venue: [1138, 300], monitor: [1000, 420], strategies: [548, 190], gap: 58,
};
const NARROW = {
  box: [0, 0, 380, 790], card: 178,
  feed: [94, 26], brain: [286, 26], regime: [94, 120], strategy: [286, 120], strategies: [94, 270], gap: 54,
  risk: [286, 300], venue: [286, 500], exec: [94, 610], monitor: [286, 640],
};

function make(name, attributes, parent) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

export class Graph {
  constructor(svg, tell) {
    this.svg = svg;
    this.tell = tell;
    this.nodes = new Map();
    this.edges = new Map();
    this.shape = "";
    this.chosen = null;
    this.before = new Map();
  }

  show(graph) {
    const narrow = window.innerWidth <= 720;
    const shape = `${narrow}|${graph.nodes.map((n) => n.id)}|${graph.edges.map((e) => e.id)}`;
    if (shape !== this.shape) this.layOut(graph, narrow ? NARROW : WIDE, shape);
    for (const node of graph.nodes) this.update(node);
    for (const edge of graph.edges) {
      const line = this.edges.get(edge.id);
      if (!line) continue;
      const rate = edge.calls - (this.before.get(edge.id) ?? edge.calls);
      this.before.set(edge.id, edge.calls);
      line.classList.toggle("active", edge.active);
      line.classList.toggle("busy", rate > 5);
      line.dataset.active = String(edge.active);
      line.dataset.calls = String(edge.calls);
      line.firstChild.textContent = `${edge.source} → ${edge.target}: ${edge.secondarystat}, ${edge.calls}`;
    }
    if (this.chosen) this.explain(this.chosen);
  }

  layOut(graph, plan, shape) {
    this.shape = shape;
    CARD.width = plan.card;
    this.svg.replaceChildren();
    this.svg.setAttribute("viewBox", plan.box.join(" "));
    this.nodes.clear();
    this.edges.clear();
    const lines = make("g", {}, this.svg);
    const cards = make("g", {}, this.svg);
    const owner = new Map(graph.edges.filter((e) => e.target.startsWith("tool:")).map((e) => [e.target, e.source]));
    const tools = new Map();
    for (const [tool, agent] of owner) tools.set(agent, [...(tools.get(agent) ?? []), tool]);
    const at = new Map();
    let stacked = 0;
    for (const node of graph.nodes) {
      if (owner.has(node.id)) continue;
      const [x, y] = plan[node.id] ?? [plan.strategies[0], plan.strategies[1] + plan.gap * stacked++];
      const rows = tools.get(node.id) ?? [];
      const height = CARD.head + rows.length * CARD.row + (rows.length ? 5 : 0);
      at.set(node.id, { x, y, left: x - CARD.width / 2, right: x + CARD.width / 2, top: y - CARD.head / 2, height });
      this.card(cards, node, at.get(node.id), rows.length > 0);
      rows.forEach((id, index) => {
        const top = y + CARD.head / 2 + index * CARD.row;
        at.set(id, { x, y: top + CARD.row / 2, left: x - CARD.width / 2 + 8, tool: true });
        this.tool(cards, graph.nodes.find((n) => n.id === id), x - CARD.width / 2, top);
      });
    }
    for (const edge of graph.edges) {
      const [from, to] = [at.get(edge.source), at.get(edge.target)];
      if (!from || !to) continue;
      const path = to.tool ? `M ${from.left + 8} ${from.top + CARD.head - 8} V ${to.y} h 8` : curve(from, to);
      const line = make("path", { class: "edge", d: path, "data-edge": edge.id }, to.tool ? cards : lines);
      make("title", {}, line);
      this.edges.set(edge.id, line);
    }
  }

  card(parent, node, at, hasRows) {
    const group = make("g", { class: `node ${node.subtitle}`, "data-node": node.id, tabindex: "0" }, parent);
    make("rect", { class: "box", x: at.left, y: at.top, width: CARD.width, height: at.height, rx: 8 }, group);
    make("rect", { class: "stripe", x: at.left, y: at.top + 8, width: 4, height: CARD.head - 16, rx: 2 }, group);
    make("text", { class: "title", x: at.left + 13, y: at.top + 18 }, group).textContent = short(node.title);
    make("text", { class: "figure", x: at.left + 13, y: at.top + 33 }, group);
    if (hasRows) make("line", { class: "axis", x1: at.left + 8, x2: at.right - 8, y1: at.top + CARD.head, y2: at.top + CARD.head }, group);
    this.keep(group, node);
  }

  tool(parent, node, left, top) {
    const group = make("g", { class: "node tool", "data-node": node.id, tabindex: "0" }, parent);
    make("rect", { class: "box", x: left + 4, y: top, width: CARD.width - 8, height: CARD.row, rx: 4 }, group);
    make("circle", { class: "stripe", cx: left + 20, cy: top + CARD.row / 2 + 1, r: 3.6 }, group);
    make("text", { class: "title", x: left + 29, y: top + 14 }, group).textContent = node.title;
    make("text", { class: "figure", x: left + CARD.width - 8, y: top + 14, "text-anchor": "end" }, group);
    this.keep(group, node);
  }

  keep(group, node) {
    make("title", {}, group);
    this.nodes.set(node.id, { group, node });
    for (const event of ["click", "focus", "mouseenter"]) {
      group.addEventListener(event, () => { this.chosen = node.id; this.explain(node.id); });
    }
  }

  update(node) {
    const known = this.nodes.get(node.id);
    if (!known) return;
    known.node = node;
    known.group.dataset.state = node.state;
    known.group.dataset.active = String(node.active);
    known.group.querySelector(".figure").textContent = node.subtitle === "tool" ? node.secondarystat : node.secondarystat || node.state;
    known.group.querySelector("title").textContent = `${node.title}: ${node.state}${node.cause ? ", " + node.cause : ""}`;
  }

  explain(id) {
    const known = this.nodes.get(id);
    if (known) this.tell(known.node);
  }
}

function short(title) { return title.length > 24 ? title.slice(0, 23) + "…" : title; }

// A curve from border to border; edges that run backwards leave and arrive below the heads.
function curve(from, to) {
  const forward = to.x > from.x + 20, back = to.x < from.x - 20;
  if (!forward && !back) {
    const down = to.y > from.y;
    const y1 = down ? from.top + from.height : from.top, y2 = down ? to.top : to.top + to.height;
    return `M ${from.x} ${y1} C ${from.x} ${(y1 + y2) / 2}, ${to.x} ${(y1 + y2) / 2}, ${to.x} ${y2}`;
  }
  const x1 = forward ? from.right : from.left, x2 = forward ? to.left : to.right;
  const y1 = from.y + (forward ? -5 : 9), y2 = to.y + (forward ? -5 : 9);
  const bend = Math.max(24, Math.abs(x2 - x1) * 0.5) * (forward ? 1 : -1);
  return `M ${x1} ${y1} C ${x1 + bend} ${y1}, ${x2 - bend} ${y2}, ${x2} ${y2}`;
}
