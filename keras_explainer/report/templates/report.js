"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const SVG = "http://www.w3.org/2000/svg";
  const PAGE = window.innerWidth < 820 ? 12 : 24;
  const COLOURS = ["#d55e00", "#56b4e9", "#f0e442", "#009e73", "#cc79a7", "#0072b2", "#e69f00", "#ffffff"];
  const DARK_TEXT = [true, true, true, true, true, false, true, true];
  const UNIT = 1000;

  /** An element with attributes and children; texts are never read as HTML. */
  function make(tag, attributes, ...children) {
    const svg = ["svg", "polygon", "circle", "line", "rect", "g", "text"].includes(tag);
    const element = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined) continue;
      if (name === "text") element.textContent = value;
      else element.setAttribute(name, value);
    }
    for (const child of children) if (child) element.append(child);
    return element;
  }
  const number = (value, digits) => {
    if (value === null || value === undefined) return "–";
    const text = value.toFixed(digits);
    return Number(text) ? text.replace("-", "−") : text.replace("-", "");
  };
  const signed = (value, digits) => (Number((value || 0).toFixed(digits)) > 0 ? "+" : "") + number(value, digits);
  const percent = (value) => (value === null ? "–" : (100 * value).toFixed(value < 0.0995 ? 1 : 0) + " %");
  const titleOf = (one) => (one.name ? one.name : one.part ? one.part : "no name");

  root.style.setProperty("--aspect", String(data.aspect));

  // Colours: as the system, light, dark.
  const THEMES = ["auto", "light", "dark"];
  const LABELS = { auto: "◐ Auto", light: "☀ Light", dark: "☾ Dark" };
  const SPOKEN = { auto: "as the system", light: "light", dark: "dark" };
  function setTheme(theme) {
    root.dataset.theme = theme;
    byId("theme").textContent = LABELS[theme];
    byId("theme").setAttribute("aria-label", "Colours: " + SPOKEN[theme]);
    try { localStorage.setItem("keras-explainer-theme", theme); } catch { /* not kept */ }
  }
  let kept = "auto";
  try { kept = localStorage.getItem("keras-explainer-theme") || "auto"; } catch { /* not kept */ }
  setTheme(THEMES.includes(kept) ? kept : "auto");
  byId("theme").addEventListener("click", () =>
    setTheme(THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length]));

  // Outlines: a mask of one peak is at least one half in a diamond around its cell.
  function centre(cell) {
    return [(cell[0] + 0.5) / data.map[0], (cell[1] + 0.5) / data.map[1]];
  }
  function diamond(cell) {
    const [x, y] = centre(cell), [dx, dy] = data.reach;
    return [[x, y - dy], [x + dx, y], [x, y + dy], [x - dx, y]]
      .map((point) => point.map((value) => (value * UNIT).toFixed(1)).join(",")).join(" ");
  }
  function outlines(cells, colour) {
    const group = make("g");
    for (const kind of ["case", "ink"])
      for (const cell of cells)
        group.append(make("polygon", { class: "outline " + kind, points: diamond(cell), stroke: kind === "ink" ? colour : null }));
    return group;
  }
  function drawing() {
    return make("svg", { viewBox: `0 0 ${UNIT} ${UNIT}`, preserveAspectRatio: "none", "aria-hidden": "true" });
  }
  function image(base64, alt) {
    return make("img", { src: "data:image/jpeg;base64," + base64, alt, decoding: "async" });
  }
  function place(cells) {
    if (!cells.length) return "";
    const [x, y] = centre(cells[0]);
    const down = y < 0.34 ? "top" : y > 0.66 ? "bottom" : "middle";
    const across = x < 0.34 ? "left" : x > 0.66 ? "right" : "centre";
    return `, its part at the ${down} ${across}`;
  }
  function thumb(one, top, plain) {
    const [picture, title, cells, strength, adds] = top;
    const alt = `${title}: filter ${one.id} fires with strength ${number(strength, 2)}${place(cells)}`;
    const figure = make("figure", { class: "thumb", title: plain ? null : `${title} – strength ${number(strength, 2)}` });
    if (picture !== null) figure.append(image(data.pictures[picture], plain ? "" : alt));
    else { figure.classList.add("empty"); if (!plain) { figure.setAttribute("role", "img"); figure.setAttribute("aria-label", alt); } }
    const svg = drawing();
    svg.append(outlines(cells, "#ffd33d"));
    figure.append(svg);
    if (!plain && adds !== null) figure.append(make("span", { class: "add", text: signed(adds, 2), "aria-hidden": "true" }));
    return figure;
  }

  // Gallery.
  const present = (one) => one.present;
  const SORTS = [
    ["use", "use: what counts first", (one) => one.use],
    ["adds", "contribution, highest first", (one) => one.adds],
    ["against", "contribution, lowest first", (one) => (one.adds === null ? null : -one.adds)],
    ["present", "how often present", present],
    ["tracking", "tracking, then R²", (one) => (one.tracking === null ? null : one.tracking * 10 + Math.max(0, one.r2 || 0))],
    ["mi", "mutual information", (one) => one.mi],
    ["stable", "instability, lowest first", (one) => (one.instability === null ? null : -one.instability)],
    ["spread", "how much its place moves", (one) => one.spread],
    ["activation", "activation share", (one) => one.activation],
    ["id", "number", (one) => -one.id],
  ].filter(([, , key]) => data.filters.some((one) => key(one) !== null && key(one) !== undefined));
  const SHOWS = [["all", "all filters", () => true], ["live", "live filters", (one) => !one.dead]];
  if (data.filters.some((one) => one.dead)) SHOWS.push(["dead", "dead filters", (one) => one.dead]);
  const tracked = [...new Set(data.filters.map((one) => one.part).filter((part) => part !== null))];
  if (data.parts.length) {
    SHOWS.push(["tracking", "those that follow a part", (one) => one.tracking >= 0.5]);
    SHOWS.push(["no-part", "those that follow none", (one) => !one.dead && !(one.tracking >= 0.5)]);
    for (const part of data.parts)
      if (tracked.includes(part)) SHOWS.push(["part:" + part, "follows: " + part, (one) => one.part === part && one.tracking >= 0.5]);
  }
  data.groups.forEach((group, at) => SHOWS.push(["group:" + at, `group ${at + 1} (${group.length})`, (one) => one.group === at]));
  if (data.groups.length) SHOWS.push(["alone", "in no group", (one) => one.group === null]);
  for (const [value, text] of SORTS) byId("sort").append(make("option", { value, text }));
  for (const [value, text] of SHOWS) byId("show").append(make("option", { value, text }));
  const state = { search: "", sort: SORTS[0][0], show: "all", page: 0 };

  function matches(one, words) {
    if (!words.length) return true;
    const texts = [String(one.id), "filter " + one.id, one.name || "", one.part || "", ...one.top.map((top) => top[1])];
    const text = texts.join("\n").toLowerCase();
    return words.every((word) => (/^#?\d+$/.test(word) ? String(one.id) === word.replace("#", "") || (one.name || "").toLowerCase().includes(word) : text.includes(word)));
  }
  function chosen() {
    const words = state.search.toLowerCase().split(/\s+/).filter((word) => word && word !== "filter");
    const show = SHOWS.find(([value]) => value === state.show)[2];
    const key = SORTS.find(([value]) => value === state.sort)[2];
    const rank = (one) => { const value = key(one); return value === null || value === undefined ? -Infinity : value; };
    return data.filters.filter((one) => show(one) && matches(one, words))
      .sort((a, b) => { const x = rank(a), y = rank(b); return x === y ? a.id - b.id : y > x ? 1 : -1; });
  }
  function mini(one) {
    const height = 76 / data.aspect;
    const svg = make("svg", { class: "where", viewBox: `0 0 76 ${height}`, role: "img",
      "aria-label": one.at ? `mean position: ${percent(one.at[0])} from the left, ${percent(one.at[1])} from the top` : "no position" });
    svg.append(make("line", { x1: 38, x2: 38, y1: 0, y2: height }), make("line", { x1: 0, x2: 76, y1: height / 2, y2: height / 2 }));
    if (one.at) {
      const [x, y] = [one.at[0] * 76, one.at[1] * height];
      svg.append(make("circle", { class: "spread", cx: x, cy: y, r: Math.max(1, one.spread * Math.hypot(76, height)) }), make("circle", { class: "mean", cx: x, cy: y, r: 3.2 }));
    }
    return svg;
  }
  const FACTS = [
    ["Use", (one) => (one.use === null ? null : percent(one.use)), "share of the absolute contributions of all filters"],
    ["Adds", (one) => (one.adds === null ? null : signed(one.adds, 3)), "mean contribution to the explained class' logit"],
    ["Present", (one) => percent(one.present), "share of the images in which its part is there"],
    ["Tracks", (one) => (one.tracking ? `${percent(one.tracking)}, R² ${number(one.r2, 2)}` : one.tracking === 0 ? "nothing" : null), "share of the halvings in which it follows a part"],
    ["MI", (one) => (one.mi === null ? null : number(one.mi, 2)), "mutual information with the part templates, nats"],
    ["Instability", (one) => (one.instability === null ? null : number(one.instability, 3)), "spread of the distance to the parts"],
    ["Moves", (one) => (one.spread === null ? null : number(one.spread, 2)), "spread of its own position over the diagonal"],
    ["Activation", (one) => percent(one.activation), "share of all masked activations"],
  ];
  function card(one) {
    const tags = make("div", { class: "tags" });
    if (one.dead) tags.append(make("span", { class: "tag dead", text: "dead: never fires" }));
    if (one.part !== null) tags.append(make("span", { class: "tag", text: "follows " + one.part }));
    if (one.group !== null) tags.append(make("span", { class: "tag", text: "group " + (one.group + 1) }));
    const list = make("dl");
    for (const [name, value, meaning] of FACTS) {
      const shown = value(one);
      if (shown !== null) list.append(make("dt", { text: name, title: meaning }), make("dd", { text: shown }));
    }
    const about = make("div", {}, make("h3", { id: "filter-" + one.id }, make("span", { text: "Filter " + one.id }),
      one.name ? make("span", { class: "quiet", text: one.name + (one.sure === null ? "" : ` (${percent(one.sure)} sure)`) }) : null),
    tags, make("div", { class: "facts" }, mini(one), list));
    if (one.alike.length) {
      const alike = make("p", { class: "alike", text: "Lies together with " });
      for (const [other, share] of one.alike) {
        const button = make("button", { type: "button", text: `${other}`, title: `in ${percent(share)} of the images`, "aria-label": `Show filter ${other}, together in ${percent(share)} of the images` });
        button.addEventListener("click", () => find("#" + other));
        alike.append(button);
      }
      about.append(alike);
    }
    const strip = make("div", { class: "strip" });
    for (const top of one.top) strip.append(thumb(one, top, false));
    if (!one.top.length) strip.append(make("p", { class: "quiet", text: one.dead ? "It fires in no image." : "No images." }));
    return make("li", { class: "filter", "aria-labelledby": "filter-" + one.id, "data-filter": one.id }, about, strip);
  }
  function draw() {
    const found = chosen();
    const pages = Math.max(1, Math.ceil(found.length / PAGE));
    state.page = Math.min(state.page, pages - 1);
    const start = state.page * PAGE;
    byId("gallery").replaceChildren(...found.slice(start, start + PAGE).map(card));
    byId("gallery").start = start + 1;
    byId("count").textContent = found.length
      ? `${found.length} of ${data.filters.length} filters` + (pages > 1 ? `; ${start + 1} to ${Math.min(start + PAGE, found.length)} shown` : "")
      : "No filter fits. Change the search, or show all filters.";
    byId("pager").hidden = pages < 2;
    if (byId("page").length !== pages) {
      byId("page").replaceChildren(...Array.from({ length: pages }, (_, at) => make("option", { value: at, text: `${at + 1} of ${pages}` })));
    }
    byId("page").value = String(state.page);
    byId("previous-page").disabled = state.page === 0;
    byId("next-page").disabled = state.page === pages - 1;
    for (const button of document.querySelectorAll(".group")) button.setAttribute("aria-pressed", String(button.dataset.show === state.show));
  }
  function change(changes) {
    Object.assign(state, { page: 0 }, changes);
    byId("search").value = state.search; byId("sort").value = state.sort; byId("show").value = state.show;
    draw();
  }
  function find(text) { change({ search: text, show: "all" }); byId("filters").scrollIntoView(); byId("search").focus({ preventScroll: true }); }
  let waiting = 0;
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("search").addEventListener("input", (event) => {
    clearTimeout(waiting);
    const text = event.target.value;
    waiting = setTimeout(() => { state.search = text; state.page = 0; draw(); }, 120);
  });
  byId("sort").addEventListener("change", (event) => change({ sort: event.target.value }));
  byId("show").addEventListener("change", (event) => change({ show: event.target.value }));
  byId("outlines").addEventListener("change", (event) => byId("gallery").classList.toggle("no-outlines", !event.target.checked));
  function turn(page) { state.page = page; draw(); byId("count").scrollIntoView({ block: "start" }); }
  byId("previous-page").addEventListener("click", () => turn(state.page - 1));
  byId("next-page").addEventListener("click", () => turn(state.page + 1));
  byId("page").addEventListener("change", (event) => turn(Number(event.target.value)));

  // Groups: the filter that counts most stands for its group.
  if (data.groups.length) data.groups.forEach((group, at) => {
    const members = group.map((id) => data.filters[id]);
    const weight = (one) => (one.use === null ? one.present : one.use);
    const first = members.reduce((best, one) => (weight(one) > weight(best) ? one : best));
    const names = {};
    for (const one of members) { const name = titleOf(one); names[name] = (names[name] || 0) + 1; }
    const name = Object.entries(names).sort((a, b) => b[1] - a[1])[0][0];
    const shared = members.every((one) => one.use !== null) ? members.reduce((sum, one) => sum + one.use, 0) : null;
    const button = make("button", { type: "button", class: "group", "data-show": "group:" + at, "aria-pressed": "false" },
      first.top.length ? thumb(first, first.top[0], true) : null,
      make("span", {}, make("b", { text: `Group ${at + 1}: ${name}` }),
        make("small", { text: `${group.length} filters` + (shared === null ? "" : `, ${percent(shared)} of the use`) }),
        make("small", { text: group.slice(0, 8).join(", ") + (group.length > 8 ? ", …" : "") })));
    button.addEventListener("click", () => { change({ show: state.show === "group:" + at ? "all" : "group:" + at, search: "" }); byId("filters").scrollIntoView(); });
    byId("group-list").append(button);
  });
  draw();

  // Image by image.
  if (!data.shown.length) return;
  let steps = data.shown.map((_, at) => at), step = 0;
  function disc(at) {
    const element = make("span", { class: "disc", text: String(at + 1), "aria-hidden": "true" });
    element.style.background = COLOURS[at % COLOURS.length];
    element.style.color = DARK_TEXT[at % COLOURS.length] ? "#000" : "#fff";
    return element;
  }
  function bar(value, low, high, colour) {
    const span = high - low || 1, zero = ((0 - low) / span) * 100, end = ((value - low) / span) * 100;
    return make("svg", { viewBox: "0 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" },
      make("rect", { x: Math.min(zero, end), y: 2, width: Math.max(0.6, Math.abs(end - zero)), height: 10, fill: colour }),
      make("line", { class: "zero", x1: zero, x2: zero, y1: 0, y2: 14 }));
  }
  function markers(parts) {
    // In shares of the width; numbers that would cover each other move down.
    const placed = [];
    return parts.map((part) => {
      if (!part.cells.length) return null;
      let [x, y] = centre(part.cells[0]);
      const dx = 0.062, dy = 0.062 * data.aspect;
      for (let tries = 0; tries < 40 && placed.some(([px, py]) => Math.hypot((px - x) / dx, (py - y) / dy) < 1); tries++) {
        const angle = tries * 2.4, far = 0.35 + tries * 0.12;
        const [cx, cy] = centre(part.cells[0]);
        x = Math.min(1 - dx / 2, Math.max(dx / 2, cx + Math.cos(angle) * far * dx));
        y = Math.min(1 - dy / 2, Math.max(dy / 2, cy + Math.sin(angle) * far * dy));
      }
      placed.push([x, y]);
      return [x, y];
    });
  }
  function drawPicture(one) {
    const box = byId("picture");
    box.replaceChildren();
    box.classList.toggle("empty", one.picture === null);
    const where = one.parts.length ? `Parts of ${one.title}: ` + one.parts.map((part, at) => `${at + 1} is filter ${part.filter}${part.name ? " (" + part.name + ")" : ""}${place(part.cells)}`).join("; ") : `${one.title}: no part is present`;
    if (one.picture !== null) box.append(image(data.shown_pictures[one.picture], where));
    else { box.setAttribute("role", "img"); box.setAttribute("aria-label", where); }
    const width = 416, height = 416 / data.aspect;
    const svg = make("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    const places = markers(one.parts);
    const scaled = make("g", { transform: `scale(${width / UNIT} ${height / UNIT})` });
    const seen = {};
    [...one.parts].reverse().forEach((part, back) => {
      const at = one.parts.length - 1 - back;
      const key = JSON.stringify(part.cells);
      seen[key] = (seen[key] || 0) + 1;
      scaled.append(outlines(part.cells, COLOURS[at % COLOURS.length]));
    });
    svg.append(scaled);
    places.forEach((spot, at) => {
      if (!spot) return;
      const [x, y] = [spot[0] * width, spot[1] * height];
      svg.append(make("circle", { cx: x, cy: y, r: 11, fill: COLOURS[at % COLOURS.length], stroke: "#000", "stroke-width": 1 }),
        make("text", { class: "marker", x, y, fill: DARK_TEXT[at % COLOURS.length] ? "#000" : "#fff", text: String(at + 1) }));
    });
    box.append(svg);
  }
  function drawText(one) {
    const text = byId("explanation");
    text.replaceChildren(make("h3", { text: one.title }));
    const scores = make("dl");
    const line = (name, value) => value && scores.append(make("dt", { text: name }), make("dd", { text: value }));
    const scored = (score) => score && `${score.title} (${number(score.score, 3)})`;
    line("Teacher", scored(one.answer));
    if (one.explained && one.answer && one.explained.title !== one.answer.title) line("Explained", scored(one.explained));
    line("Explainer", scored(one.own));
    if (one.logit) line("Logit", `${signed(one.logit.change, 2)} over a usual image`);
    text.append(scores);
    if (one.warnings.length) {
      const list = make("ul");
      for (const warning of one.warnings) list.append(make("li", { text: warning }));
      text.append(make("div", { class: "warnings", role: "note" }, list));
    }
    const rows = make("ol", { class: "rows" });
    const counted = one.parts.some((part) => part.adds !== null);
    const values = one.parts.map((part) => (counted ? part.adds : part.relative));
    const low = Math.min(0, ...values), high = Math.max(0, ...values);
    one.parts.forEach((part, at) => rows.append(make("li", {}, disc(at),
      make("span", { class: "name", text: `filter ${part.filter}${part.name ? " · " + part.name : ""}` }),
      bar(values[at], low, high, COLOURS[at % COLOURS.length] === "#ffffff" ? "#8a939c" : COLOURS[at % COLOURS.length]),
      make("span", { class: "figure", text: counted ? signed(part.adds, 2) : number(part.relative, 1) }))));
    if (!one.parts.length) rows.append(make("li", {}, make("span"), make("span", { text: "no part is present" })));
    if (one.logit) {
      const most = [one.logit.filters, one.logit.ordinary];
      const [least, top] = [Math.min(0, ...most), Math.max(0, ...most)];
      for (const [name, value] of [["all filters", one.logit.filters], ["ordinary track", one.logit.ordinary]])
        rows.append(make("li", { class: name === "all filters" ? "sum" : null }, make("span"), make("span", { class: "name", text: name }), bar(value, least, top, "#8a939c"), make("span", { class: "figure", text: signed(value, 2) })));
    }
    text.append(make("p", { class: "quiet", text: counted ? "What each part adds to the explained class' logit; below, on a scale of their own, all filters and what no part explains." : `Relative strength. No contributions: ${one.why_not}.` }), rows);
    if (one.present > one.parts.length) text.append(make("p", { class: "quiet", text: `and ${one.present - one.parts.length} more filters whose part is present` }));
  }
  function go(to) {
    if (!steps.length) {
      byId("where").textContent = "none";
      byId("picture").replaceChildren(); byId("explanation").replaceChildren(make("p", { text: "There is no such image among those shown." }));
      byId("previous").disabled = byId("next").disabled = true;
      return;
    }
    step = Math.min(Math.max(0, to), steps.length - 1);
    const one = data.shown[steps[step]];
    byId("where").textContent = `${step + 1} of ${steps.length}`;
    byId("previous").disabled = step === 0;
    byId("next").disabled = step === steps.length - 1;
    drawPicture(one);
    drawText(one);
  }
  const KEEPS = { all: () => true, disagree: (one) => !one.agrees, warned: (one) => one.warnings.length > 0 };
  byId("which").addEventListener("change", (event) => {
    steps = data.shown.map((_, at) => at).filter((at) => KEEPS[event.target.value](data.shown[at]));
    go(0);
  });
  byId("previous").addEventListener("click", () => go(step - 1));
  byId("next").addEventListener("click", () => go(step + 1));
  byId("viewer").addEventListener("keydown", (event) => {
    if (event.target.tagName === "SELECT") return;
    const moves = { ArrowLeft: step - 1, ArrowRight: step + 1, Home: 0, End: steps.length - 1 };
    if (event.key in moves) { event.preventDefault(); go(moves[event.key]); }
  });
  for (const link of document.querySelectorAll("a[data-step]"))
    link.addEventListener("click", (event) => {
      // The link would take the focus along.
      event.preventDefault();
      byId("which").value = "all";
      steps = data.shown.map((_, at) => at);
      go(Number(link.dataset.step));
      byId("images").scrollIntoView();
      byId("viewer").focus({ preventScroll: true });
    });
  go(0);
})();
