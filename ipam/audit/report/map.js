// The map: a cell for each address of a range, or for each block of them where there are many.

const MOST_CELLS = 1024, SIZE = 14, STEP = 16, MARGIN = 118, PAST = 12;

class AddressMap {
  constructor(data) {
    this.data = data;
    this.leases = data.leases;
    this.selects = ["network", "node", "range"].map((name) => document.getElementById("map-" + name));
    const [network, node, range] = this.selects;
    network.addEventListener("change", () => this.listNodes());
    node.addEventListener("change", () => this.listRanges());
    range.addEventListener("change", () => this.draw());
    this.box = document.getElementById("cells");
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.box.addEventListener("click", (event) => this.select(event.target));
    addEventListener("resize", () => this.columns() !== this.across && this.draw());
    this.options(network, [...new Set(data.ranges.map((range) => range[0]))], (number) => data.words.network[number]);
    this.listNodes();
  }

  options(select, values, text) {
    select.replaceChildren(...values.map((value) => {
      const option = element("option", text(value));
      option.value = value;
      return option;
    }));
    select.disabled = values.length < 2;
  }

  listNodes(wanted) {
    const network = Number(this.selects[0].value);
    const nodes = [...new Set(this.data.ranges.filter((range) => range[0] === network).map((range) => range[1]))];
    this.options(this.selects[1], nodes, (number) => this.data.words.node[number] || "all nodes");
    if (wanted !== undefined && nodes.includes(wanted)) this.selects[1].value = wanted;
    this.listRanges();
  }

  listRanges() {
    const [network, node] = this.selects.map((select) => Number(select.value));
    this.ranges = this.data.ranges.filter((range) => range[0] === network && range[1] === node);
    this.options(this.selects[2], this.ranges.map((_, place) => place), (place) => {
      const [, , set, family, start, end] = this.ranges[place];
      return addressText(BigInt(start), family) + " – " + addressText(BigInt(end), family) + " (set " + set + ")";
    });
    this.draw();
  }

  goTo(node) {
    const number = this.data.words.node.indexOf(node);
    const range = this.data.ranges.find((each) => each[1] === number);
    if (!range) return;
    this.selects[0].value = range[0];
    this.listNodes(number);
    document.getElementById("map").scrollIntoView();
  }

  // Which leases, resting addresses and the gateway are in which cell.
  place() {
    const [network, node, , family, startText, endText, gateway] = this.range;
    const start = BigInt(startText), end = BigInt(endText), inside = [];
    const everyone = this.data.words.node[node] === "";
    for (let i = 0; i < this.leases.address.length; i++) {
      if (this.leases.network[i] !== network || (!everyone && this.leases.node[i] !== node)) continue;
      const text = this.leases.address[i];
      if (text.includes(":") !== (family === 6)) continue;
      const number = addressNumber(text);
      if (number >= start && number <= end) inside.push([number, i]);
    }
    let size = end - start + 1n, shown = size;
    if (size > 1n << 24n) {
      const last = inside.reduce((most, [number]) => (number - start > most ? number - start : most), 0n);
      shown = BigInt(MOST_CELLS);
      while (shown <= last) shown *= 2n;
      if (shown > size) shown = size;
    }
    let block = 1n;
    while ((shown + block - 1n) / block > BigInt(MOST_CELLS)) block *= 2n;
    const first = start / block, last = (start + shown - 1n) / block;  // blocks begin where people expect them to
    const cells = Array.from({ length: Number(last - first) + 1 }, (_, n) => {
      const from = (first + BigInt(n)) * block, to = from + block - 1n;
      return { from: from < start ? start : from, to: to > end ? end : to, leases: [], kind: "h0" };
    });
    for (const [number, i] of inside) cells[Number(number / block - first)].leases.push(i);
    for (const [restNetwork, restNode, text, until] of this.data.resting) {
      if (restNetwork !== network || (!everyone && restNode !== node) || text.includes(":") !== (family === 6)) continue;
      const number = addressNumber(text);
      if (number >= start && number < start + shown) cells[Number(number / block - first)].resting = until;
    }
    const gate = addressNumber(gateway);
    for (const each of cells) {
      const gated = gate >= each.from && gate <= each.to && gateway.includes(":") === (family === 6);
      const share = each.leases.length / Number(each.to - each.from + 1n - (gated ? 1n : 0n) || 1n);
      if (block > 1n) each.kind = share >= 1 ? "h7" : share >= 0.9 ? "h6" : share ? "h" + (1 + Math.floor(share / 0.18)) : "h0";
      else if (each.leases.length) each.kind = this.byAge(each.leases[0]);
      else if (gated) each.kind = "gate";
      else if (each.resting) each.kind = "rest";
      each.gate = gated;
    }
    return { cells, block, first, hidden: size - shown, inside: inside.length, size };
  }

  columns() {
    const width = this.box.clientWidth;
    return width < 520 ? 16 : width < 860 ? 32 : 64;
  }

  byAge(lease) {
    const since = this.leases.since[lease], days = (this.data.now - since) / 86400;
    return !since ? "h3" : days < 1 / 24 ? "h1" : days < 1 ? "h2" : days < 7 ? "h3" : days < 30 ? "h4" : "h5";
  }

  draw() {
    this.range = this.ranges[Number(this.selects[2].value)];
    const family = this.range[3], { cells, block, first, hidden, inside, size } = this.place();
    this.cells = cells;
    this.at = -1;
    this.across = this.columns();
    // Rows begin where people expect them to: at .0, .64, .128 …
    const skipped = Number(first % BigInt(this.across));
    const rows = Math.ceil((cells.length + skipped) / this.across);
    const picture = svg("svg", { viewBox: `0 0 ${MARGIN + this.across * STEP} ${rows * STEP}`, "aria-hidden": "true" });
    cells.forEach((each, n) => {
      const column = (n + skipped) % this.across, y = Math.floor((n + skipped) / this.across) * STEP;
      if (column === 0 || n === 0) {
        const label = svg("text", { x: 0, y: y + 11 });
        label.textContent = addressText((first + BigInt(n - column)) * block, family);
        picture.append(label);
      }
      const x = MARGIN + column * STEP;
      const rect = svg("rect", { x, y, width: SIZE, height: SIZE, rx: 2.5, class: each.kind, "data-cell": n });
      const title = svg("title", {});
      title.textContent = this.summary(each);
      rect.append(title);
      picture.append(rect);
    });
    this.box.replaceChildren(picture);
    const about = [whole(inside) + " of " + whole(size) + " addresses are leased."];
    if (block > 1n) about.push("One cell stands for " + whole(block) + " addresses.");
    if (hidden) about.push(whole(hidden) + " more addresses lie behind the last cell; none of them is leased.");
    document.getElementById("map-about").textContent = about.join(" ");
    const legend = block > 1n
      ? [["h0", "free"], ["h1", ""], ["h2", ""], ["h3", ""], ["h4", ""], ["h5", "fuller"], ["h6", "90 %"], ["h7", "full"]]
      : [["h0", "free"], ["h1", "leased, < 1 h old"], ["h2", "< 1 day"], ["h3", "< 7 days"], ["h4", "< 30 days"], ["h5", "older"],
         ["rest", "resting"], ["gate", "gateway"]];
    document.getElementById("map-legend").replaceChildren(...legend.map(([kind, text]) => {
      const key = element("span", undefined, "entry");
      key.append(element("i", undefined, kind), " " + text);
      return key;
    }));
    this.detail();
  }

  summary(each) {
    const family = this.range[3], first = addressText(each.from, family);
    if (each.to > each.from) return first + " – " + addressText(each.to, family) + ": " + each.leases.length + " leased";
    if (each.leases.length) return first + ": " + this.holder(each.leases[0]);
    return first + ": " + (each.gate ? "gateway" : each.resting ? "resting until " + moment(each.resting) : "free");
  }

  holder(i, short) {
    const leases = this.leases, pod = leases.pod[i];
    const container = short && leases.container[i].length > 16 ? leases.container[i].slice(0, 12) + "…" : leases.container[i];
    const name = pod ? "pod " + this.data.words.namespace[leases.namespace[i]] + "/" + pod + ", " : "";
    const since = leases.since[i] ? ", since " + moment(leases.since[i]) + " (" + age(this.data.now - leases.since[i]) + ")" : "";
    return name + "container " + container + " " + this.data.words.ifname[leases.ifname[i]] +
      " on " + this.data.words.node[leases.node[i]] + since;
  }

  key(event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.across, ArrowUp: -this.across };
    const ends = { Home: 0, End: this.cells.length - 1 };
    if (event.key in steps || event.key in ends) {
      const to = event.key in ends ? ends[event.key] : this.at < 0 ? 0 : this.at + steps[event.key];
      if (to >= 0 && to < this.cells.length) this.move(to);
    } else if (event.key !== "Enter" || this.at < 0) return;
    event.preventDefault();
    this.detail();
  }

  select(target) {
    const number = target.closest ? target.closest("[data-cell]") : null;
    if (!number) return;
    this.move(Number(number.dataset.cell));
    this.detail();
  }

  move(to) {
    const rects = this.box.querySelectorAll("rect");
    if (this.at >= 0) rects[this.at].classList.remove("at");
    rects[to].classList.add("at");
    this.at = to;
  }

  detail() {
    const box = document.getElementById("map-detail"), each = this.cells[this.at];
    if (!each) {
      box.replaceChildren(element("p", "Choose a cell to see who holds the address, and who held it before.", "sub"));
      return;
    }
    const parts = [element("p", this.summary(each), "message")], lines = [];
    if (each.to > each.from) for (const i of each.leases.slice(0, PAST)) lines.push(this.leases.address[i] + ": " + this.holder(i, true));
    if (each.leases.length > PAST) lines.push("and " + (each.leases.length - PAST) + " more: search the table of leases");
    if (lines.length) parts.push(this.list(lines));
    if (each.to === each.from) parts.push(...this.past(addressText(each.from, this.range[3])));
    box.replaceChildren(...parts);
  }

  past(address) {
    const [network, node] = this.range, everyone = this.data.words.node[node] === "";
    const told = this.data.events.filter((event) =>
      event[2] === address && event[0] === network && (everyone || event[1] === node));
    if (!told.length) return [element("p", "History on this page tells nothing of it.", "sub")];
    return [element("p", "Its past, the newest first:", "sub"), this.list(told.slice(-PAST).reverse().map((event) => {
      const [, , , time, what, cause, container, pod, note] = event;
      const who = (pod ? "pod " + pod + ", " : "") + "container " + container;
      return moment(time) + " " + (what === "claim" ? "leased to " : "released by ") + who + " (" + cause + (note ? ": " + note : "") + ")";
    }))];
  }

  list(lines) {
    const list = element("ul");
    list.append(...lines.map((line) => element("li", line)));
    return list;
  }
}
