// The rest of the page: what is there without a script works without it.

function begin() {
  const data = JSON.parse(document.getElementById("data").textContent);
  document.getElementById("table-body").hidden = false;
  new LeaseTable(data);
  if (data.ranges.length) {
    document.getElementById("map-body").hidden = false;
    const map = new AddressMap(data);
    for (const cell of document.querySelectorAll(".fleet li")) cell.addEventListener("click", () => map.goTo(cell.dataset.node));
  } else {
    document.getElementById("map").append(element("p", "No ranges are known, so there is nothing to draw.", "empty"));
  }
  for (const each of document.querySelectorAll("figure.whole")) each.scrollLeft = each.scrollWidth; // now is at its end
  filterFindings();
  chooseTheme();
}

function filterFindings() {
  const chips = document.getElementById("severities");
  if (!chips) return;
  chips.hidden = false;
  chips.addEventListener("click", (event) => {
    const chip = event.target.closest("button");
    if (!chip) return;
    const shown = chip.getAttribute("aria-pressed") !== "true";
    chip.setAttribute("aria-pressed", String(shown));
    for (const each of document.querySelectorAll(".findings > li." + chip.dataset.severity)) each.hidden = !shown;
  });
}

function chooseTheme() {
  const button = document.getElementById("theme"), root = document.documentElement;
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const name = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    name();
  });
  name();
}

begin();
