"use strict";
// Draws the plots, filters and selects in plots and table alike, sorts the table, and prints everything.
(() => {
  const given = JSON.parse(document.getElementById("plots").textContent);
  const rows = [...document.querySelectorAll("#candidates tbody tr")];
  const byNumber = new Map(rows.map((row) => [Number(row.dataset.number), row]));
  const selected = document.getElementById("selected");
  let models = []; // of Bokeh
  let views = []; // one for each plot
  let hidden = new Set();
  let updating = false;

  const tagged = (tag) => models.filter((model) => model.tags.includes(tag));
  const sources = () => models.filter((model) => model.name?.startsWith("points-"));

  function paint() {
    const ink = getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
    const inked = new Set(tagged("ink"));
    for (const renderer of inked) {
      for (const part of ["line_color", "text_color"]) {
        if (part in renderer.glyph) renderer.glyph[part] = { value: ink };
      }
    }
    for (const view of views) {
      for (const each of view.renderer_views.values()) if (inked.has(each.model)) each.set_visuals();
      view.request_paint(); // all of it, for the colours of axes come from the style sheet
      view.repaint(); // at once, for a page that is being printed does not wait
    }
  }

  function filter() {
    hidden = new Set();
    for (const set of document.querySelectorAll("[data-filter]")) {
      const off = new Set([...set.querySelectorAll("input:not(:checked)")].map((box) => box.value));
      for (const row of rows) if (off.has(row.dataset[set.dataset.filter])) hidden.add(Number(row.dataset.number));
    }
    show(hidden);
  }

  function show(without) {
    for (const [number, row] of byNumber) row.hidden = without.has(number);
    for (const source of sources()) {
      const numbers = Array.from(source.data.number);
      for (const each of tagged("panel")) {
        if (filtersOf(source).has(each)) each.booleans = numbers.map((at) => each.tags.includes(at) && !without.has(at));
      }
    }
  }

  const filtersOf = (source) => new Set(models.filter((model) => model.data_source === source).map((model) => model.view.filter));

  function select(numbers) {
    if (updating) return;
    updating = true;
    for (const source of sources()) {
      const all = Array.from(source.data.number);
      source.selected.indices = all.flatMap((number, index) => (numbers.includes(number) ? [index] : []));
    }
    for (const [number, row] of byNumber) {
      row.classList.toggle("picked", numbers.includes(number));
      row.querySelector(".pick").setAttribute("aria-pressed", String(numbers.includes(number)));
    }
    updating = false;
    if (numbers.length) selected.textContent = numbers.map(describe).join(" · ");
  }

  function describe(number) {
    const titles = [...document.querySelectorAll("#candidates thead th")].map((title) => title.textContent);
    const cells = [...byNumber.get(number).cells].map((cell) => cell.textContent.trim());
    return `Number ${cells.map((text, at) => (at < 2 ? text : `${titles[at]} ${text}`)).join(", ")}`;
  }

  function sortBy(title) {
    const head = title.closest("th");
    const rising = head.getAttribute("aria-sort") !== "ascending";
    const at = [...head.parentNode.children].indexOf(head);
    for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const key = (row) => row.cells[at].dataset.sort;
    const compare = (a, b) => {
      const [first, second] = [key(a), key(b)];
      if (first === second) return Number(a.dataset.number) - Number(b.dataset.number);
      if (first === "" || second === "") return first === "" ? 1 : -1; // what is not known comes last both ways
      const order = isNaN(first) || isNaN(second) ? first.localeCompare(second) : first - second;
      return rising ? order : -order;
    };
    document.querySelector("#candidates tbody").append(...rows.sort(compare));
  }

  function name(root, plot) {
    // Bokeh's tools can be reached by keyboard; a screen reader also needs their role and name.
    for (const element of root.querySelectorAll("*")) {
      if (element.shadowRoot) name(element.shadowRoot, plot);
      if (element.tabIndex !== 0 || root === plot) continue;
      const isArea = element.classList.contains("bk-events");
      element.setAttribute("role", isArea ? "group" : "button");
      element.setAttribute("aria-label", element.title || (isArea ? "Plot" : "More tools"));
      if (!isArea && !element.title) element.addEventListener("keydown", (event) => event.key === "Enter" && element.click());
    }
  }

  async function draw() {
    if (!given.panels.length) return;
    const roots = Object.fromEntries(given.document.roots.map((root) => [root.id, root.attributes.name]));
    const items = [{ docid: "report", roots, root_ids: Object.keys(roots) }];
    const [manager] = await Bokeh.embed.embed_items({ report: given.document }, items);
    views = [...manager].filter((view) => view.repaint);
    models = [...new Set(views.flatMap((view) => [...view.model.references()]))];
    for (const source of sources()) {
      source.selected.properties.indices.change.connect(() => select(source.selected.indices.map((at) => source.data.number[at])));
    }
    paint();
    for (const element of document.querySelectorAll(".drawn")) name(element, element);
    document.documentElement.dataset.drawn = String(views.length);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.closest(".sortable thead")) sortBy(button);
    if (button.matches(".pick")) {
      const on = button.getAttribute("aria-pressed") === "true";
      select(on ? [] : [Number(button.closest("tr").dataset.number)]);
    }
    if (button.matches(".copy")) copy(button);
  });

  function copy(button) {
    const code = button.parentNode.querySelector("code");
    const done = (text) => { button.textContent = text; setTimeout(() => { button.textContent = "Copy"; }, 1500); };
    if (!navigator.clipboard) { getSelection().selectAllChildren(code); done("Selected"); return; }
    navigator.clipboard.writeText(code.textContent).then(() => done("Copied"), () => { getSelection().selectAllChildren(code); done("Selected"); });
  }

  const filters = document.querySelector(".filters");
  if (filters) {
    filters.addEventListener("change", filter);
    filters.addEventListener("reset", () => setTimeout(filter));
  }

  let folded = [];
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("paper");
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const each of folded) each.open = true;
    show(new Set());
    paint();
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("paper");
    for (const each of folded) each.open = false;
    show(hidden);
    paint();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

  draw();
})();
