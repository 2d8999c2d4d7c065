// The page of films: what it knows, its canvases, and the screens of each film. It is a module: `await` may stand here.

const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
const unpack = packed => new Response(new Blob([bytes(packed)]).stream().pipeThrough(new DecompressionStream("deflate")));
const data = await unpack(document.getElementById("data").textContent).json();
const films = data.films, two = films.length > 1;
const find = id => document.getElementById(id);
const LINES = ["--value", "--gradient", "--local", "--fourth", "--fifth", "--sixth"];
const state = {at: 0, kind: "weights", lang: document.documentElement.lang, playing: false, layer: null, cell: null, unit: null, network: false};
let colors = {};

// ---- Words

function say(key, ...parts) {
  if (key === "title" && !two) return `${data.phrases.title[state.lang === "ja" ? 1 : 0]}: ${films[0].name}`;
  const text = (data.phrases[key] || [key, key])[state.lang === "ja" ? 1 : 0];
  return text.replace(/\{(\w*)\}/g, (_, i) => parts[+i || 0]);
}
const number = x => x === null || x === undefined ? "–" : x === 0 ? "0" : Math.abs(x) >= 1e-3 && Math.abs(x) < 1e4 ? String(+x.toPrecision(4)) : x.toExponential(2);
const short = x => { const text = String(+x.toPrecision(3)); return text.length < 8 ? text : x.toExponential(1); };
function make(tag, parent, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

// ---- Data

// What the page holds of a shot, decoded once: each picture of all frames asks for every one of them.
const decoded = new WeakMap();
function decode(raw, most) {
  if (!decoded.has(raw)) decoded.set(raw, {
    levels: most > 127 ? new Int16Array(bytes(raw[0]).buffer) : new Int8Array(bytes(raw[0]).buffer), bars: bytes(raw[1]),
    means: new Int16Array(bytes(raw[9] ?? "").buffer), active: bytes(raw[10] ?? ""), dead: raw[7] ? [...new Uint16Array(bytes(raw[7]).buffer)] : [],
  });
  return decoded.get(raw);
}
function shot(film, key, frame) {
  const i = film.index[key], raw = i === undefined ? null : film.frames[frame].shots[i];
  if (!raw) return null;
  const [, , scale, norm, mean, deviation] = raw;
  return {...decode(raw, film.views[i].most), view: film.views[i], scale, norm, mean, deviation};
}
for (const film of films) {
  film.index = Object.fromEntries(film.views.map((view, i) => [`${view.kind} ${view.path}`, i]));
  film.params = film.views.filter(view => view.kind === "weights").map(view => view.path);
  const layers = film.views.filter(view => view.kind === "activations").map(view => view.path);
  const owner = path => path.includes(".") ? path.slice(0, path.lastIndexOf(".")) : "";
  film.layers = [...new Set([...film.params.map(owner), ...layers])].map(path => ({
    path, params: film.params.filter(param => owner(param) === path), attention: null,
  }));
  film.chain = chainOf(film);
  for (const view of film.views) if (view.kind === "attention") film.layers.push({path: view.path, params: [], attention: view.path});
  film.steps = film.frames.map(frame => frame.step);
}
const longest = films.reduce((a, b) => b.frames.length > a.frames.length ? b : a);
state.layer = films[0].layers[0];
state.network = films.every(film => film.chain.length);
// The frame of each film that shows the step at hand: the last one up to it.
function frameOf(film) {
  const step = longest.steps[state.at];
  let i = film.steps.findIndex(other => other > step);
  return i < 0 ? film.steps.length - 1 : Math.max(i - 1, 0);
}

// ---- Canvases

function context(canvas) {
  const ratio = window.devicePixelRatio || 1, {clientWidth: w, clientHeight: h} = canvas;
  if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
    canvas.width = Math.round(w * ratio); canvas.height = Math.round(h * ratio);
  }
  const c = canvas.getContext("2d");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, w, h);
  c.font = "11px system-ui, sans-serif";
  return [c, w, h];
}
function readColors() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["--paper", "--ink", "--soft", "--line", "--warning", "--positive", "--negative", ...LINES]) colors[name] = style.getPropertyValue(name).trim();
  const rgb = name => [1, 3, 5].map(i => parseInt((colors[name].length === 4 ? "#" + [...colors[name].slice(1)].map(c => c + c).join("") : colors[name]).slice(i, i + 2), 16));
  colors.rgb = {positive: rgb("--positive"), negative: rgb("--negative"), zero: rgb("--paper")};
}
function shade(level) {
  const part = Math.abs(level) ** .7, end = level < 0 ? colors.rgb.negative : colors.rgb.positive;
  return colors.rgb.zero.map((z, i) => Math.round(z + (end[i] - z) * part));
}
/* A matrix of levels as an image, in whole pixels, as large as fits. Returns where it lies. */
function matrix(canvas, rows, cols, level, tile, fill) {
  const [c, w, h] = context(canvas);
  const gap = tile ? 1 : 0, down = tile ? rows / tile[0] : 1, across = tile ? cols / tile[1] : 1;
  const size = Math.min((w - gap * across) / cols, (h - gap * down) / rows);
  const cell = fill ? [(w - gap * across) / cols, (h - gap * down) / rows] : [Math.min(size, 22), Math.min(size, 22)];
  const x = j => j * cell[0] + (tile ? Math.floor(j / tile[1]) * gap : 0), y = i => i * cell[1] + (tile ? Math.floor(i / tile[0]) * gap : 0);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) {
    c.fillStyle = `rgb(${shade(level(i, j))})`;
    c.fillRect(x(j), y(i), Math.max(cell[0], .5) + .3, Math.max(cell[1], .5) + .3);
  }
  c.strokeStyle = colors["--line"];
  c.strokeRect(.5, .5, Math.max(x(cols - 1) + cell[0] - 1, 1), Math.max(y(rows - 1) + cell[1] - 1, 1));
  return {c, cell, x, y, w, h};
}
function picture(canvas, found, fill) {
  if (!found) { context(canvas); return null; }
  const [rows, cols] = found.view.size;
  const place = matrix(canvas, rows, cols, (i, j) => found.levels[i * cols + j] / found.view.most, found.view.tile, fill);
  if (found.view.kind === "activations" && !found.view.tile) {
    place.c.strokeStyle = colors["--warning"]; place.c.lineWidth = 1.5;
    for (const j of found.dead) if (j < cols) place.c.strokeRect(place.x(j) + .75, .75, Math.max(place.cell[0] - 1.5, 1), place.y(rows - 1) + place.cell[1] - 1.5);
  }
  return place;
}
/* Lines over the steps: {values: [[step, value]...], color}. */
function chart(canvas, lines, marks, last, logarithmic) {
  const [c, w, h] = context(canvas), left = 54, right = w - 6, top = 6, bottom = h - 16;
  const all = lines.flatMap(line => line.values.map(p => p[1])).filter(v => v !== null && isFinite(v) && (!logarithmic || v > 0));
  c.fillStyle = colors["--soft"];
  if (!all.length) return;
  const f = logarithmic ? Math.log10 : v => v;
  let low = all.reduce((a, b) => Math.min(a, b)), high = all.reduce((a, b) => Math.max(a, b));
  if (logarithmic) low = Math.max(low, high * 1e-12);
  const [a, b] = [f(low), f(high)], x = step => left + (right - left) * step / Math.max(last, 1), y = v => bottom - (bottom - top) * (f(v) - a) / (b - a || 1);
  c.strokeStyle = colors["--line"]; c.beginPath(); c.moveTo(left, top); c.lineTo(left, bottom); c.lineTo(right, bottom); c.stroke();
  c.textAlign = "right"; c.fillText(short(high), left - 4, top + 8); c.fillText(short(low), left - 4, bottom);
  c.textAlign = "left"; c.fillText("0", left, h - 3); c.textAlign = "right"; c.fillText(last.toLocaleString("en"), right, h - 3);
  for (const mark of marks) { c.fillStyle = colors["--warning"]; c.fillRect(x(mark) - 1, bottom - 5, 2.5, 5); }
  for (const line of lines) {
    c.strokeStyle = line.color; c.lineWidth = 1.6; c.beginPath();
    let drawing = false;
    for (const [step, value] of line.values) {
      if (value === null || !isFinite(value) || (logarithmic && value <= 0)) { drawing = false; continue; }
      const v = Math.max(value, low);
      drawing ? c.lineTo(x(step), y(v)) : c.moveTo(x(step), y(v)); drawing = true;
    }
    c.stroke();
  }
  c.strokeStyle = colors["--ink"]; c.lineWidth = 1; c.beginPath(); c.moveTo(x(longest.steps[state.at]), top); c.lineTo(x(longest.steps[state.at]), bottom); c.stroke();
  canvas.scrub = px => Math.round((px - left) / Math.max(right - left, 1) * last);
}

// ---- The page

const main = find("films");
main.className = two ? "two" : "";
const screens = films.map((film, n) => {
  const root = make("section", main, "film"), ui = {film, n};
  if (two) make("h2", root, "", film.name);
  const columns = make("div", root, "columns");
  const charts = make("div", columns, "charts"), middle = make("div", columns, "middle"), side = make("div", columns, "side");
  ui.charts = {};
  for (const key of ["loss", "flow", "ratio"]) {
    const panel = make("div", charts, "panel chart");
    make("h3", panel).dataset.phrase = key;
    ui.charts[key] = make("canvas", panel);
    if (key === "flow") ui.legend = make("div", panel, "legend");
  }
  const layers = make("div", middle, "panel layers");
  ui.cards = film.layers.map(layer => {
    const card = make("button", layers, "layer");
    card.type = "button";
    make("span", card, "", layer.attention ? "" : layer.path || film.name);
    card.onclick = () => { state.layer = layer; state.cell = state.unit = null; draw(); };
    return {layer, card, label: card.firstChild, weights: make("canvas", card), activations: make("canvas", card)};
  });
  ui.network = make("canvas", make("div", middle, "panel network"));
  ui.network.onclick = event => chooseCircle(ui, event.offsetX, event.offsetY);
  const detail = make("div", middle, "panel detail");
  const head = make("div", detail, "head");
  ui.heading = make("h2", head); ui.params = make("div", head, "params");
  const pictures = make("div", detail, "pictures");
  const half = () => make("div", pictures);
  const left = half(), right = half();
  ui.leftTitle = make("h3", left); ui.big = make("canvas", left, "big"); ui.numbers = make("p", left, "numbers");
  ui.rightTitle = make("h3", right); ui.act = make("canvas", right, "big"); ui.actNumbers = make("p", right, "numbers");
  const below = make("div", detail, "pictures below"), over = make("div", below), cell = make("div", below);
  make("h3", over).dataset.phrase = "over"; ui.over = make("canvas", over, "over");
  ui.cellTitle = make("h3", cell); ui.cell = make("canvas", cell, "cell");
  const pick = (canvas, found, place, chosen) => {
    canvas.onclick = event => {
      const cell = found() && place() && cellAt(found(), place(), event.clientX - canvas.getBoundingClientRect().left, event.clientY - canvas.getBoundingClientRect().top);
      if (!cell) return;
      const count = unitsOf(film, twin(ui)), unit = unitAt(found().view, ...cell, count || 1);
      chosen(cell);
      choose(unit < count ? unit : null);
    };
  };
  pick(ui.big, () => current(ui), () => ui.place, cell => { state.cell = cell; });
  pick(ui.act, () => shot(film, `activations ${twin(ui)?.path}`, frameOf(film)), () => ui.actPlace, () => {});
  buildUnit(detail, ui);
  if (film.plane) {
    const panel = make("div", side, "panel field");
    make("h3", panel).dataset.phrase = "field";
    ui.field = make("canvas", panel);
  }
  if (Object.keys(film.latents).length) {
    const panel = make("div", side, "panel field");
    ui.latentTitle = make("h3", panel);
    ui.latent = make("canvas", panel);
    ui.latentLegend = make("div", panel, "legend");
  }
  const insights = make("div", side, "panel insights");
  make("h3", insights).dataset.phrase = "insights";
  ui.insights = make("ol", insights);
  ui.players = make("div", insights, "players");
  for (const canvas of Object.values(ui.charts)) {
    const scrub = event => { if (canvas.scrub && (event.type === "click" || event.buttons)) goToStep(canvas.scrub(event.clientX - canvas.getBoundingClientRect().left)); };
    canvas.onclick = scrub; canvas.onpointermove = scrub;
  }
  return ui;
});

/** The cell of a picture at a place in its canvas. */
function cellAt(found, place, left, top) {
  const near = (f, count, at, size) => { for (let k = 0; k < count; k++) if (at < f(k) + size) return k; return -1; };
  const [rows, cols] = found.view.size, i = near(place.y, rows, top, place.cell[1]), j = near(place.x, cols, left, place.cell[0]);
  return i < 0 || j < 0 ? null : [i, j];
}
function current(ui) {
  const layer = twin(ui);
  if (!layer) return null;
  const frame = frameOf(ui.film);
  if (layer.attention) return shot(ui.film, `attention ${layer.attention}`, frame);
  const param = paramOf(layer);
  return param === undefined ? null : shot(ui.film, `${state.kind} ${param}`, frame);
}
// The layer of this film that has the path of the chosen one.
// Of the layer's Parameters the chosen one, else the one that comes first.
const paramOf = layer => layer.params.find(param => param === state.param) ?? layer.params[0];
const twin = ui => ui.film.layers.find(layer => layer.path === state.layer.path && !layer.attention === !state.layer.attention);

function drawCharts(ui) {
  const film = ui.film, last = Math.max(...films.map(f => f.losses.count - 1)), marks = film.insights.map(i => i.step);
  const curve = f => f.losses.values.map((v, i) => [i * f.losses.block, v]);
  const values = films.flatMap(f => f.losses.values).filter(v => v !== null);
  const [least, most] = values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]), wide = least > 0 && most > 30 * least;
  chart(ui.charts.loss, films.map((f, i) => ({values: curve(f), color: colors[LINES[i]]})), marks, last, wide);
  ui.series = ui.series || {flow: series(film, "gradients", s => Math.hypot(s[4], s[5])), ratio: series(film, "updates", (s, i, frame) => {
    const norm = film.frames[frame].shots[film.index[`weights ${film.views[i].path}`]];
    return norm && norm[3] ? s[3] / norm[3] : null;
  })};
  for (const key of ["flow", "ratio"]) chart(ui.charts[key], ui.series[key].map((line, i) => ({values: line.values, color: colors[LINES[i % LINES.length]]})), marks, last, true);
  ui.legend.replaceChildren();
  ui.series.flow.slice(0, 6).forEach((line, i) => { make("span", ui.legend, "", line.path).style.color = colors[LINES[i]]; });
}
/* For each matrix of weights a line of numbers. Biases follow their matrices, and are left out. */
function series(film, kind, f) {
  return film.views.map((view, i) => [view, i]).filter(([view]) => view.kind === kind && (view.shape.length > 1 || film.params.length < 3)).map(([view, i]) => ({
    path: view.path, values: film.frames.map((frame, k) => [frame.step, frame.shots[i] ? f(frame.shots[i], i, k) : null]),
  }));
}
function drawLayers(ui) {
  const frame = frameOf(ui.film);
  for (const {layer, card, label, weights, activations} of ui.cards) {
    if (layer.attention) label.textContent = `${say("attention")} ${layer.attention}`;
    card.setAttribute("aria-pressed", layer.path === state.layer.path && !layer.attention === !state.layer.attention);
    if (layer.attention) { picture(weights, shot(ui.film, `attention ${layer.attention}`, frame)); context(activations); continue; }
    picture(weights, layer.params.length ? shot(ui.film, `${state.kind} ${layer.params[0]}`, frame) : null);
    picture(activations, shot(ui.film, `activations ${layer.path}`, frame), true);
  }
}
const shape = view => view.shape.join("×");
function drawDetail(ui) {
  const layer = twin(ui), frame = frameOf(ui.film), found = current(ui);
  ui.heading.textContent = layer ? (layer.attention ? `${say("attention")} ${layer.attention}` : layer.path || ui.film.name) : "–";
  ui.place = picture(ui.big, found);
  const param = layer && paramOf(layer);
  ui.params.replaceChildren();
  if (layer && layer.params.length > 1) for (const path of layer.params) {
    const button = make("button", ui.params, "", path.slice(path.lastIndexOf(".") + 1));
    button.type = "button"; button.setAttribute("aria-pressed", path === param);
    button.onclick = () => { state.param = path; state.cell = null; draw(); };
  }
  ui.leftTitle.textContent = found ? `${layer.attention ? say("attention") : `${param}: ${say(state.kind)}`}  ${shape(found.view)}${found.view.pooled ? `, ${say("pooled")}` : ""}` : "";
  ui.numbers.textContent = found ? `${say("norm")} ${number(found.norm)}  ${say("mean")} ${number(found.mean)}  ${say("deviation")} ${number(found.deviation)}  ${say("largest")} ${number(found.scale)}` : "";
  const act = layer && !layer.attention ? shot(ui.film, `activations ${layer.path}`, frame) : null;
  ui.actPlace = picture(ui.act, act, act && !act.view.tile);
  markUnit(ui.actPlace, act, unitsOf(ui.film, layer));
  ui.rightTitle.textContent = act ? `${say("activations")} ${shape(act.view)}: ${act.view.note}` : "";
  ui.actNumbers.textContent = act ? `${say("mean")} ${number(act.mean)}  ${say("deviation")} ${number(act.deviation)}  ${say("zero")} ${act.dead.length}` : "";
  drawOver(ui, found);
  drawCell(ui, found);
  drawUnit(ui);
}
/** A frame around the column of the chosen unit. */
function markUnit(place, found, count) {
  if (!place || state.unit === null || state.unit >= count || found.view.tile) return;
  const [rows, cols] = found.view.size, j = Math.floor(state.unit * cols / count);
  place.c.strokeStyle = colors["--ink"]; place.c.lineWidth = 2;
  place.c.strokeRect(place.x(j), 1, place.cell[0], place.y(rows - 1) + place.cell[1] - 2);
}
function drawOver(ui, found) {
  const [c, w, h] = context(ui.over);
  if (!found) return;
  const i = ui.film.views.indexOf(found.view), frames = ui.film.frames, bins = 32;
  const top = Math.max(...frames.map(frame => frame.shots[i] ? frame.shots[i][2] : 0)) || 1;
  frames.forEach((frame, k) => {
    const raw = frame.shots[i];
    if (!raw) return;
    const {bars} = decode(raw, found.view.most), height = h * raw[2] / top / bins, start = h / 2 - h * raw[2] / top / 2;
    for (let b = 0; b < bins; b++) {
      if (!bars[b]) continue;
      c.fillStyle = b < bins / 2 ? colors["--negative"] : colors["--positive"]; c.globalAlpha = bars[b] / 255;
      c.fillRect(k * w / frames.length, h - start - (b + 1) * height, Math.max(w / frames.length, 1), Math.max(height, 1));
    }
  });
  c.globalAlpha = 1; c.fillStyle = colors["--soft"]; c.textAlign = "left";
  c.fillText(number(top), 2, 10); c.fillText(number(-top), 2, h - 3);
  c.strokeStyle = colors["--ink"]; const x = (frameOf(ui.film) + .5) * w / frames.length;
  c.beginPath(); c.moveTo(x, 0); c.lineTo(x, h); c.stroke();
}
function drawCell(ui, found) {
  ui.cellTitle.textContent = say("cell");
  if (!found || !state.cell) { context(ui.cell); return; }
  const [i, j] = state.cell, [rows, cols] = found.view.size, at = ui.film.views.indexOf(found.view);
  if (i >= rows || j >= cols) { context(ui.cell); return; }
  const values = ui.film.frames.map(frame => {
    const raw = frame.shots[at];
    return [frame.step, raw ? decode(raw, found.view.most).levels[i * cols + j] / found.view.most * raw[2] : null];
  });
  ui.cellTitle.textContent = `${found.view.path} [${i}, ${j}]: ${told(values[frameOf(ui.film)][1], found)}`;
  chart(ui.cell, [{values, color: colors["--value"]}], [], Math.max(...films.map(f => f.losses.count - 1)), false);
  if (ui.place) { ui.place.c.strokeStyle = colors["--ink"]; ui.place.c.lineWidth = 2; ui.place.c.strokeRect(ui.place.x(j), ui.place.y(i), ui.place.cell[0], ui.place.cell[1]); }
}
function drawInsights(ui) {
  ui.insights.replaceChildren(); ui.players.replaceChildren();
  if (!ui.film.insights.length) make("li", ui.insights, "", say("none"));
  for (const insight of ui.film.insights) {
    const button = make("button", make("li", ui.insights));
    button.type = "button";
    make("b", button, "", insight.step.toLocaleString("en") + "  ");
    const text = data.phrases[insight.kind][state.lang === "ja" ? 1 : 0];
    button.append(text.replace("{path}", insight.path + (insight.more ? ` (${say("more", insight.more)})` : "")).replace(/\{(\d)\}/g, (_, i) => number(insight.numbers[+i])));
    button.onclick = () => {
      const layer = ui.film.layers.find(l => l.path === insight.path || l.params.includes(insight.path));
      if (layer) state.layer = layer;
      goToStep(insight.step);
    };
  }
  for (const step of Object.keys(ui.film.players)) {
    const button = make("button", ui.players, "", say("backward", (+step).toLocaleString("en")));
    button.type = "button";
    button.onclick = () => openPlayer(ui.film.players[step]);
  }
}
async function openPlayer(packed) {
  find("player").querySelector("iframe").srcdoc = await unpack(packed).text();
  find("player").showModal();
}
find("player").querySelector("button").onclick = () => find("player").close();
