"use strict";
// Draws the charts, builds the tables behind them, and filters the transcripts. Everything from the results becomes
// text nodes and attribute values, never markup.

const PAGE = 50;
const marks = {}; // of verdicts, from the page's own data
const find = (id) => document.getElementById(id);

async function unpack(id) {
  const packed = atob(find(id).textContent);
  const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

function element(name, content, attributes = {}) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  for (const child of [content].flat()) made.append(child ?? "");
  return made;
}

const isolated = (text) => element("bdi", String(text));

function shownNumber(value) {
  if (typeof value !== "number") return value ?? "\u2013";
  const text = Number.isInteger(value) || Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(3);
  return text.replace("-", "\u2212");
}

function table(headings, rows) {
  const head = element("tr", headings.map((heading) => element("th", heading, { scope: "col" })));
  const body = rows.map((cells) =>
    element("tr", cells.map((cell, place) => {
      if (cell instanceof Node) return element("td", cell);
      if (typeof cell === "number") return element("td", shownNumber(cell), { class: "n" });
      return place ? element("td", isolated(cell ?? "\u2013")) : element("th", isolated(cell ?? "\u2013"), { scope: "row" });
    })));
  return element("div", element("table", [element("thead", head), element("tbody", body)]), {
    class: "scroll", tabindex: "0", role: "region", "aria-label": "Table",
  });
}

const verdict = (name) =>
  element("span", [element("span", marks[name] ?? "", { "aria-hidden": "true" }), ` ${name}`], { class: `verdict ${name}` });

function themes() {
  const chosen = find("theme");
  const apply = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  // A page opened from a file may not be allowed to remember anything.
  let kept = "";
  try { kept = localStorage.getItem("llmpref-theme") ?? ""; } catch { /* as the system, then */ }
  chosen.value = ["light", "dark"].includes(kept) ? kept : "";
  apply(chosen.value);
  chosen.addEventListener("change", () => {
    apply(chosen.value);
    try { localStorage.setItem("llmpref-theme", chosen.value); } catch { /* as above */ }
  });
}

const STYLE = {
  background: "transparent",
  font: "system-ui, sans-serif",
  view: { stroke: null },
  axis: {
    labelColor: "var(--ink)", titleColor: "var(--muted)", gridColor: "var(--grid)", domainColor: "var(--rule)",
    tickColor: "var(--rule)", labelFontSize: 11, titleFontSize: 11, titleFontWeight: "normal", titlePadding: 8,
  },
  legend: { labelColor: "var(--ink)", titleColor: "var(--muted)", labelFontSize: 11, symbolSize: 60 },
  header: { labelColor: "var(--ink)", labelFontSize: 11.5, labelFontWeight: 600 },
  text: { fill: "var(--ink)" },
};

const pause = () => new Promise((resume) => setTimeout(resume));

async function draw(charts, onEntity) {
  for (const place of document.querySelectorAll("[data-chart]")) {
    const { spec } = charts[place.dataset.chart];
    const { view } = await window.vegaEmbed(place, spec, {
      // The interpreter of expressions needs no eval, which the page's policy forbids.
      ast: true, renderer: "svg", actions: false, defaultStyle: false, config: STYLE,
      tooltip: { disableDefaultStyle: true },
    });
    view.addEventListener("click", (_event, item) => item?.datum?.id !== undefined && onEntity(item.datum.id));
    const svg = place.querySelector("svg");
    svg.style.setProperty("--natural", `${svg.viewBox.baseVal.width}px`);
    if (place.scrollWidth > place.clientWidth) { // What scrolls is reached by the keyboard too.
      place.tabIndex = 0;
      place.setAttribute("role", "region");
      place.setAttribute("aria-label", place.closest("figure").querySelector("h3").textContent);
    }
    await pause();
  }
}

function behind(charts) {
  for (const details of document.querySelectorAll("[data-table]")) {
    details.addEventListener("toggle", () => {
      const { spec, columns } = charts[details.dataset.table];
      const fields = Object.keys(columns);
      const rows = spec.data.values.map((row) => fields.map((field) => row[field]));
      details.append(table(Object.values(columns), rows));
    }, { once: true });
  }
}

function entityClaims(entities, filterBy) {
  for (const details of document.querySelectorAll("[data-entities]")) {
    details.addEventListener("toggle", () => {
      const rows = entities[details.dataset.entities].map(([name, group, word, value, low, high, n, id]) => {
        const link = element("button", "transcripts", { type: "button", "aria-label": `Transcripts about ${name}` });
        link.addEventListener("click", () => filterBy({ ...details.dataset, entity: id }));
        return [name, group, verdict(word), value, low, high, n, link];
      });
      details.append(table(["Entity", "Group", "Verdict", "Value", "Low", "High", "n", ""], rows));
    }, { once: true });
  }
}

function* rowsOf(data) {
  for (const [model, measures] of Object.entries(data.models)) {
    for (const [measure, columns] of Object.entries(measures)) {
      const { words, more } = columns;
      for (let row = 0; row < columns.key.length; row += 1) {
        const extra = Object.entries(more)
          .filter(([, values]) => values[row] !== null)
          .map(([name, values]) => `${name.replaceAll("_", " ")}: ${words.includes(name) ? data.texts[values[row]] : values[row]}`);
        yield {
          model, measure, key: columns.key[row], outcome: data.texts[columns.outcome[row]],
          entities: columns.entities[row], attempts: columns.attempts[row], score: columns.score[row],
          control: columns.control[row] === 1, text: data.texts[columns.text[row]], note: extra.join("; "),
        };
      }
      const refused = columns.refused ?? { key: [] };
      for (let row = 0; row < refused.key.length; row += 1) {
        yield {
          model, measure, key: refused.key[row], outcome: "refusal", entities: refused.entities[row], attempts: 1,
          score: null, control: false, text: data.texts[refused.text[row]], note: `reason: ${data.texts[refused.reason[row]]}`,
        };
      }
    }
  }
}

class Transcripts {
  constructor(data) {
    this.names = data.names;
    this.ids = data.ids;
    this.rows = [...rowsOf(data)];
    this.searched = this.rows.map((row) => `${row.text} ${row.note} ${row.key}`.toLowerCase());
    this.leftOut = Object.values(data.models).flatMap(Object.values).reduce((sum, one) => sum + one.left_out, 0);
    this.form = find("filters");
    this.boxes = [...this.form.querySelectorAll("[name=measure]")];
    for (const name of [...data.names].sort()) find("entities").append(element("option", "", { value: name }));
    for (const outcome of new Set(this.rows.map((row) => row.outcome)))
      find("by-outcome").append(element("option", outcome, { value: outcome }));
    let waiting;
    this.form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => this.filter(), 120); });
    this.form.addEventListener("reset", () => setTimeout(() => this.filter()));
    this.form.addEventListener("submit", (event) => event.preventDefault());
    find("more").addEventListener("click", () => this.showMore());
    this.filter();
  }

  // Set the filters from elsewhere on the page, and take the reader to what they find.
  filterBy({ model = "", measures = "", entity = "" }) {
    find("by-model").value = model;
    find("by-entity").value = entity ? this.names[this.ids.indexOf(entity)] ?? "" : "";
    find("by-outcome").value = "";
    find("by-text").value = "";
    const wanted = measures.split(" ").filter(Boolean);
    for (const box of this.boxes) box.checked = !wanted.length || wanted.includes(box.value);
    this.filter();
    find("transcripts-title").focus();
    find("transcripts").scrollIntoView();
  }

  filter() {
    const model = find("by-model").value;
    const outcome = find("by-outcome").value;
    const text = find("by-text").value.trim().toLowerCase();
    const typed = find("by-entity").value.trim().toLowerCase();
    const entities = new Set(this.names.flatMap((name, at) => (name.toLowerCase().includes(typed) ? [at] : [])));
    const exact = this.names.findIndex((name) => name.toLowerCase() === typed);
    const meant = (at) => (exact >= 0 ? at === exact : entities.has(at));
    const measures = new Set(this.boxes.filter((box) => box.checked).map((box) => box.value));
    this.found = this.rows.filter((row, at) =>
      measures.has(row.measure) && (!model || row.model === model) && (!outcome || row.outcome === outcome) &&
      (!typed || row.entities.some(meant)) && (!text || this.searched[at].includes(text)));
    this.listed = 0;
    find("trials").tBodies[0].replaceChildren();
    this.showMore();
  }

  showMore() {
    const next = this.found.slice(this.listed, this.listed + PAGE);
    find("trials").tBodies[0].append(...next.map((row) => this.line(row)));
    this.listed += next.length;
    const left = this.leftOut ? ` ${this.leftOut.toLocaleString("en")} more are in results.json only.` : "";
    find("count").textContent =
      `${this.found.length.toLocaleString("en")} of ${this.rows.length.toLocaleString("en")} transcripts, ` +
      `${this.listed.toLocaleString("en")} shown.${left}`;
    find("more").hidden = this.listed >= this.found.length;
  }

  line(row) {
    const first = { 0: ", the second", 1: ", the first" }[row.score] ?? `, the first by ${(100 * row.score).toFixed(0)}%`;
    const names = row.entities.map((at) => this.names[at]);
    const shown = names.length > 4 ? [...names.slice(0, 3), `and ${names.length - 3} more`] : names;
    return element("tr", [
      element("td", row.outcome + (row.score === null ? "" : first)),
      element("td", row.control && !names.length ? "control" : shown.flatMap((name, at) => (at ? [" / ", isolated(name)] : [isolated(name)]))),
      element("td", [isolated(row.text.trim() || "(empty)"), ...(row.note ? [element("br"), element("span", isolated(row.note), { class: "reason" })] : [])], { class: "reply" }),
      element("td", [row.measure.replaceAll("_", " "), element("br"), element("span", isolated(row.model), { class: "reason" })]),
      element("td", String(row.attempts), { class: "n" }),
      element("td", element("code", row.key)),
    ]);
  }
}

async function start() {
  themes();
  const shown = JSON.parse(await unpack("shown-packed"));
  Object.assign(marks, shown.marks);
  behind(shown.charts);
  // A history has no transcripts.
  const transcripts = find("trials-packed") && new Transcripts(JSON.parse(await unpack("trials-packed")));
  const filterBy = (wanted) => transcripts?.filterBy(wanted);
  entityClaims(shown.entities, filterBy);
  for (const link of document.querySelectorAll("a[data-measures]")) {
    link.addEventListener("click", (event) => { event.preventDefault(); filterBy({ ...link.dataset }); });
  }
  document.head.append(element("script", await unpack("vega-packed")));
  await draw(shown.charts, (entity) => filterBy({ entity }));
}

start().then(
  () => { document.documentElement.dataset.state = "ready"; },
  (error) => {
    document.documentElement.dataset.state = "failed";
    find("trouble").hidden = false;
    find("trouble").textContent = `Charts and transcripts could not be shown (${error}). The verdicts below are complete.`;
    console.error(error);
  },
);
