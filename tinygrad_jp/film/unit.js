// One unit of a layer: its incoming weights, what it gives for each example, and both over the steps.

/** How many units a layer has, as its activations or its weights tell. */
function unitsOf(film, layer) {
  if (!layer || layer.attention) return 0;
  const view = film.views[film.index[`activations ${layer.path}`]] ?? film.views[film.index[`weights ${paramOf(layer)}`]];
  if (!view) return 0;
  const {kind, shape} = view;
  return shape.length === 4 ? shape[kind === "activations" ? 1 : 0] : shape[shape.length - 1] ?? 1;
}
/** The unit that the cell (i, j) of a picture belongs to. */
function unitAt(view, i, j, count) {
  if (view.tile && view.kind === "activations") return Math.floor(i / view.tile[0]) * (view.size[1] / view.tile[1]) + Math.floor(j / view.tile[1]);
  if (view.tile) return Math.floor(j / view.tile[1]);
  return Math.floor(j * view.shape[view.shape.length - 1] / view.size[1]) % count;
}
/** The cells of a unit in a picture, row by row: its column, one for each gate, or its image; none if it is not shown. */
function cellsOf(found, unit, count) {
  const {view} = found, [rows, cols] = view.size, width = view.shape[view.shape.length - 1];
  const at = (i, j) => found.levels[i * cols + j] / view.most * found.scale;
  const block = (top, left, height, across) => top + height > rows || left + across > cols ? [] :
    [...Array(height).keys()].map(i => [...Array(across).keys()].map(j => at(top + i, left + j)));
  if (view.tile && view.kind === "activations") {
    const [h, w] = view.tile, across = cols / w;
    return block(Math.floor(unit / across) * h, unit % across * w, h, w);
  }
  if (view.tile) return block(0, unit * view.tile[1], rows, view.tile[1]);
  if (width % count) return [];
  const columns = [...Array(width / count).keys()].map(gate => Math.floor((unit + gate * count) * cols / width));
  return [...Array(rows).keys()].map(i => columns.map(j => at(i, j)));
}
/** A number in no more digits than the levels of its picture can tell. */
function told(v, found) {
  const digits = Math.floor(-Math.log10(found.scale / found.view.most));
  return v === null ? "–" : Math.abs(v) >= 1e-3 && digits > 0 ? String(+(+v.toFixed(Math.min(digits, 6))).toPrecision(4)) : number(+v.toPrecision(2));
}
/** Bars up and down from 0, each in its color. Returns which bar lies at a place. */
function bars(canvas, values, color) {
  const [c, w, h] = context(canvas), most = Math.max(...values.map(Math.abs)) || 1, left = 44, top = 6, bottom = h - 8;
  const low = values.some(v => v < 0) ? -most : 0, high = values.some(v => v > 0) || !low ? most : 0, y = v => bottom - (bottom - top) * (v - low) / (high - low);
  const across = Math.min((w - left) / values.length, 26);
  values.forEach((v, i) => {
    c.fillStyle = color(v, i);
    c.fillRect(left + i * across + .5, Math.min(y(v), y(0)), Math.max(across - 1.5, .7), Math.max(Math.abs(y(v) - y(0)), 1));
  });
  c.fillStyle = colors["--soft"]; c.textAlign = "right";
  if (high) c.fillText(short(high), left - 4, y(high) + 8);
  if (low) c.fillText(short(low), left - 4, y(low));
  c.strokeStyle = colors["--line"]; c.beginPath(); c.moveTo(left, y(0) + .5); c.lineTo(w, y(0) + .5); c.stroke();
}
const signed = v => colors[v < 0 ? "--negative" : "--positive"];

function buildUnit(detail, ui) {
  ui.unit = make("section", detail, "unit");
  const head = make("div", ui.unit, "head");
  ui.unitTitle = make("h3", head); ui.unitNumbers = make("p", ui.unit, "numbers");
  const close = make("button", head);
  close.type = "button"; close.dataset.phrase = "close"; close.onclick = () => choose(null);
  const charts = make("div", ui.unit, "units");
  ui.unitCharts = ["incoming", "examples", "meanwhile", "pull"].map(key => {
    const box = make("div", charts);
    return {key, title: make("h3", box), canvas: make("canvas", box)};
  });
}
function drawUnit(ui) {
  const layer = twin(ui), film = ui.film, count = unitsOf(film, layer), unit = state.unit;
  const shown = unit !== null && unit < count;
  ui.unit.hidden = !shown;
  ui.unit.closest(".detail").classList.toggle("inspected", shown);
  if (!shown) return;
  const frame = frameOf(film), act = shot(film, `activations ${layer.path}`, frame), [incoming, examples, meanwhile, pull] = ui.unitCharts;
  const dead = film.frames.map((_, k) => shot(film, `activations ${layer.path}`, k)?.dead.includes(unit));
  const since = dead[frame] ? film.steps[dead.lastIndexOf(false, frame) + 1] : null;
  const facts = [];
  if (since !== null) facts.push(say("dead since", since.toLocaleString("en")));
  else if (act?.means.length > unit) facts.push(`${say("mean")} ${told(act.means[unit] / 32767 * act.scale, {...act, view: {most: 32767}})}`, say("active", percent(act.active[unit] / 255)));
  for (const path of layer.params) {
    const found = shot(film, `${state.kind} ${path}`, frame);
    if (found?.view.shape.length === 1 && found.view.shape[0] === count && found.view.size[1] === count)
      facts.push(`${path.slice(path.lastIndexOf(".") + 1)} ${told(found.levels[unit] / found.view.most * found.scale, found)}`);
  }
  const own = current(ui), into = own && !own.view.tile && !own.view.pooled ? cellsOf(own, unit, count).flat() : [];
  const strongest = [...into.keys()].sort((a, b) => Math.abs(into[b]) - Math.abs(into[a])).slice(0, 3);
  if (into.length) facts.push(say("strongest", strongest.map(i => `[${i}] ${told(into[i], own)}`).join(", ")));
  ui.unitTitle.textContent = `${layer.path || film.name}, ${say("unit", unit)}`;
  ui.unitNumbers.replaceChildren();
  facts.forEach((fact, i) => make("span", ui.unitNumbers, i || since === null ? "" : "dead", fact));
  drawIncoming(ui, incoming, unit, count, frame);
  drawExamples(ui, examples, act, unit, count, frame);
  const last = Math.max(...films.map(f => f.losses.count - 1));
  const over = f => film.frames.map((at, k) => [at.step, f(k)]);
  const means = over(k => { const found = shot(film, `activations ${layer.path}`, k); return found?.means.length > unit ? found.means[unit] / 32767 * found.scale : null; });
  meanwhile.title.textContent = say("mean over steps");
  chart(meanwhile.canvas, [{values: means, color: colors["--value"]}], film.steps.filter((_, k) => dead[k]), last, false);
  const param = paramOf(layer), view = film.views[film.index[`gradients ${param}`]];
  const norms = over(k => { const found = view && !view.pooled && shot(film, `gradients ${param}`, k); return found ? Math.hypot(...cellsOf(found, unit, count).flat()) : null; });
  pull.title.parentElement.hidden = norms.every(([, v]) => v === null);
  pull.title.textContent = say("gradient over steps");
  chart(pull.canvas, [{values: norms, color: colors["--gradient"]}], [], last, norms.every(([, v]) => v === null || v > 0));
}
const percent = part => `${part > 0 && part < .01 ? "< 1" : Math.round(100 * part)} %`;

function drawIncoming(ui, box, unit, count, frame) {
  const found = current(ui), cells = found ? cellsOf(found, unit, count) : [], values = cells.flat();
  box.title.textContent = found ? `${found.view.path}: ${say(state.kind)}${found.view.pooled ? `, ${say("pooled")}` : ""}` : "";
  if (!values.length) context(box.canvas);
  else if (found.view.tile) matrix(box.canvas, cells.length, cells[0].length, (i, j) => cells[i][j] / (found.scale || 1), found.view.tile);
  else bars(box.canvas, values, signed);
}
/** What the unit gives for each example; of maps the first one, of a sequence each time. */
function drawExamples(ui, box, act, unit, count, frame) {
  const cells = act ? cellsOf(act, unit, count) : [], values = cells.flat(), times = act?.view.shape.length === 3;
  box.title.textContent = act ? say(act.view.tile ? "map of a unit" : times ? "each time" : "each example") : "";
  const classes = act && !times && !act.view.tile ? targetsAt(ui.film, frame) : null;
  if (!values.length) context(box.canvas);
  else if (act.view.tile) matrix(box.canvas, cells.length, cells[0].length, (i, j) => cells[i][j] / (act.scale || 1), act.view.tile);
  else bars(box.canvas, values, (v, i) => (classes && i < classes.length ? targetColor(ui.film, classes[i]) : signed(v)));
}
