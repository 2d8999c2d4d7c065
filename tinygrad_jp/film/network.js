// The network as a learner draws it: units as circles, weights as lines between them.

const MOST_CIRCLES = 32;
const viewOf = (film, param) => film.views[film.index[`weights ${param}`]];
const weightsOf = (film, layer) => viewOf(film, layer.params[0]);
/** The layers of a film, if they are matrices of weights that follow one another, and small enough to draw; else none. */
function chainOf(film) {
  const layers = film.layers.filter(layer => layer.params.length), views = layers.map(layer => weightsOf(film, layer));
  const isOne = layer => layer.params.filter(param => viewOf(film, param).shape.length > 1).length === 1;
  const fits = layers.every(isOne) && views.every((view, k) => view.shape.length === 2 && Math.max(...view.shape) <= MOST_CIRCLES && String(view.shape) === String(view.size)
    && (k === 0 || views[k - 1].shape[1] === view.shape[0]));
  return fits && layers.length === film.layers.length ? layers : [];
}
/** Where the units stand: for the input and each layer a column of [x, y]. */
function placesOf(film, w, h) {
  const counts = [weightsOf(film, film.chain[0]).shape[0], ...film.chain.map(layer => weightsOf(film, layer).shape[1])];
  return counts.map((count, c) => {
    const gap = Math.min((h - 34) / count, 34), x = 46 + (w - 92) * c / (counts.length - 1);
    return [...Array(count).keys()].map(j => [x, 12 + h / 2 + gap * (j - (count - 1) / 2)]);
  });
}
function drawNetwork(ui) {
  const {film} = ui, shown = state.network && film.chain.length > 0;
  ui.network.parentElement.hidden = !shown;
  ui.network.closest(".middle").classList.toggle("drawn", shown);
  if (!shown) return;
  const [c, w, h] = context(ui.network), frame = frameOf(film), places = placesOf(film, w, h);
  const radius = Math.max(3, Math.min(9, (h - 34) / Math.max(...places.map(column => column.length)) / 2 - 1));
  const dead = film.chain.map(layer => shot(film, `activations ${layer.path}`, frame)?.dead.length ?? 0);
  ui.network.setAttribute("aria-label", [say("network"), ...film.chain.map((layer, k) => `${layer.path || film.name}: ${places[k + 1].length}, ${say("zero")} ${dead[k]}`)].join(". "));
  film.chain.forEach((layer, k) => drawWeights(c, shot(film, `${state.kind} ${layer.params[0]}`, frame), places[k], places[k + 1]));
  places.forEach((column, k) => {
    const layer = film.chain[k - 1], act = layer && shot(film, `activations ${layer.path}`, frame);
    const most = Math.max(1, ...[...act?.means ?? []].map(Math.abs));
    c.fillStyle = colors["--soft"]; c.textAlign = "center";
    c.fillText(`${layer ? layer.path || film.name : say("input")}: ${column.length}`, column[0][0], 11);
    column.forEach(([x, y], j) => {
      const chosen = layer && state.unit === j && twin(ui) === layer, dead = act?.dead.includes(j);
      c.beginPath(); c.arc(x, y, radius, 0, 7);
      c.fillStyle = act?.means.length > j ? `rgb(${shade(act.means[j] / most)})` : colors["--paper"]; c.fill();
      c.lineWidth = chosen || dead ? 3 : 1.2; c.strokeStyle = colors[dead ? "--warning" : chosen ? "--ink" : "--soft"]; c.stroke();
      if (chosen && dead) { c.beginPath(); c.arc(x, y, radius + 4, 0, 7); c.lineWidth = 1.5; c.strokeStyle = colors["--ink"]; c.stroke(); }
    });
  });
}
function drawWeights(c, found, from, to) {
  if (!found) return;
  from.forEach(([xa, ya], i) => to.forEach(([xb, yb], j) => {
    const level = found.levels[i * to.length + j] / found.view.most, middle = (xa + xb) / 2;
    if (Math.abs(level) < .02) return;
    c.globalAlpha = .12 + .88 * Math.abs(level); c.lineWidth = .4 + 3 * Math.abs(level);
    c.strokeStyle = signed(level);
    c.beginPath(); c.moveTo(xa, ya); c.bezierCurveTo(middle, ya, middle, yb, xb, yb); c.stroke();
  }));
  c.globalAlpha = 1;
}
/** Choose the unit nearest to a place, if there is one. */
function chooseCircle(ui, x, y) {
  const {clientWidth: w, clientHeight: h} = ui.network;
  const all = placesOf(ui.film, w, h).flatMap((column, k) => column.map(([px, py], j) => [Math.hypot(px - x, py - y), k, j]));
  const [distance, k, unit] = all.reduce((a, b) => (b[0] < a[0] ? b : a));
  if (distance > 16 || !k) return;
  state.layer = ui.film.chain[k - 1];
  choose(unit);
}
