// The table of leases: all of them in memory, only the rows that can be seen in the page.

const ROW = 30, MORE = 12, MOST_PRINTED = 1000;

class LeaseTable {
  constructor(data) {
    this.data = data;
    this.leases = data.leases;
    this.count = this.leases.address.length;
    this.columns = [
      ["Address", 140, (i) => this.leases.address[i], "address"],
      ["Network", 110, (i) => data.words.network[this.leases.network[i]]],
      ["Node", 130, (i) => data.words.node[this.leases.node[i]]],
      ["Pod", 250, (i) => this.pod(i)],
      ["Container", 190, (i) => this.leases.container[i], "code"],
      ["Interface", 85, (i) => data.words.ifname[this.leases.ifname[i]]],
      ["Set", 50, (i) => this.leases.set[i] ?? ""],
      ["Since (UTC)", 180, (i) => moment(this.leases.since[i])],
    ];
    this.all = Array.from({ length: this.count }, (_, place) => place);
    this.found = this.all;
    this.order = null;
    this.box = document.getElementById("rows");
    this.body = document.getElementById("lease-rows");
    this.first = this.last = -1;
    this.head();
    this.box.addEventListener("scroll", () => this.draw(), { passive: true });
    addEventListener("resize", () => this.draw());
    addEventListener("beforeprint", () => this.print());
    addEventListener("afterprint", () => this.show());
    const search = document.getElementById("search");
    search.addEventListener("input", () => this.search(search.value));
    document.getElementById("save").addEventListener("click", () => this.save());
    this.show();
  }

  pod(i) {
    const name = this.leases.pod[i];
    return name ? this.data.words.namespace[this.leases.namespace[i]] + "/" + name : "";
  }

  head() {
    const row = document.getElementById("lease-head");
    this.columns.forEach(([title, width], number) => {
      const head = element("th");
      head.scope = "col";
      head.width = width;
      const button = element("button", title);
      button.type = "button";
      button.addEventListener("click", () => this.sort(number));
      head.append(button);
      row.append(head);
    });
  }

  texts() {
    if (!this.hay) {
      this.hay = this.all.map((i) => this.columns.slice(0, 6).map((column) => column[2](i)).join("\n").toLowerCase());
    }
    return this.hay;
  }

  search(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const hay = words.length ? this.texts() : null;
    this.found = hay ? this.all.filter((i) => words.every((word) => hay[i].includes(word))) : this.all;
    this.arrange();
    this.box.scrollTop = 0;
    this.show();
  }

  sort(number) {
    const down = this.order && this.order[0] === number && !this.order[1];
    this.order = [number, down];
    document.querySelectorAll("#lease-head th").forEach((head, place) => {
      if (place === number) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    this.arrange();
    this.show();
  }

  // By numbers where there are numbers: addresses and times.
  keys(number) {
    if (number === 7) return this.leases.since;
    if (number !== 0) return this.all.map((i) => this.columns[number][2](i));
    this.padded = this.padded || this.leases.address.map((text) =>
      (text.includes(":") ? "6" : "4") + addressNumber(text).toString(16).padStart(32, "0"));
    return this.padded;
  }

  arrange() {
    if (!this.order) return;
    const [number, down] = this.order, keys = this.keys(number), sign = down ? -1 : 1;
    this.found = [...this.found].sort((a, b) => sign * (keys[a] < keys[b] ? -1 : keys[a] > keys[b] ? 1 : a - b));
  }

  show() {
    this.first = this.last = -1;
    const table = document.getElementById("lease-table");
    table.setAttribute("aria-rowcount", this.found.length + 1);
    const some = this.found.length === this.count ? "" : " of " + whole(this.count);
    document.getElementById("matches").textContent = whole(this.found.length) + some + " leases";
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / ROW) - MORE);
    const last = Math.min(this.found.length, first + Math.ceil(this.box.clientHeight / ROW) + 2 * MORE);
    if (first === this.first && last === this.last) return;
    [this.first, this.last] = [first, last];
    this.fill(first, last);
  }

  fill(first, last) {
    const rows = [this.gap(first * ROW)];
    for (let place = first; place < last; place++) rows.push(this.row(place));
    rows.push(this.gap((this.found.length - last) * ROW));
    this.body.replaceChildren(...rows);
  }

  gap(height) {
    const row = element("tr"), data = element("td", undefined, "gap");
    row.setAttribute("aria-hidden", "true");
    data.colSpan = this.columns.length;
    data.style.height = height + "px";
    row.append(data);
    row.hidden = height <= 0;
    return row;
  }

  row(place) {
    const row = element("tr"), lease = this.found[place];
    row.setAttribute("aria-rowindex", place + 2);
    for (const [, , text, kind] of this.columns) {
      const data = element("td", text(lease), kind === "code" || kind === "address" ? "mono" : "");
      data.title = data.textContent;
      row.append(data);
    }
    return row;
  }

  print() {
    const left = this.found.length - MOST_PRINTED;
    this.fill(0, Math.min(this.found.length, MOST_PRINTED));
    document.getElementById("print-note").textContent =
      left > 0 ? whole(left) + " more leases are not printed: search first, or save them as CSV." : "";
  }

  save() {
    const lines = [this.columns.map((column) => cell(column[0])).join(",")];
    for (const lease of this.found) lines.push(this.columns.map((column) => cell(column[2](lease))).join(","));
    const link = element("a");
    link.href = URL.createObjectURL(new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" }));
    link.download = "leases.csv";
    link.click();
    URL.revokeObjectURL(link.href);
  }
}
