// The graph: what is marked in it, and the camera that looks at it.

const MARKS = ["now", "ahead", "known", "forwards", "backwards", "reached"];
const READABLE = 0.9; // Below this scale letters are too small to read.
const graph = () => document.querySelector("#camera > .graph:not([hidden])");
const drawing = () => graph().querySelector("svg");
const within = (id) => (id ? graph().querySelector(`[id="${id}"]`) : null);
const mark = (className, ...ids) => ids.forEach((id) => within(id)?.classList.add(className));
const SVG = "http://www.w3.org/2000/svg";

/** The gradients at a frame, by their names, as far as they have been added up. */
function gradients(frame) {
  const found = new Map();
  const asks = asking(frame);
  for (const event of data.events.slice(0, frame.beat === 3 ? frame.row : frame.row + 1)) {
    if (event.kind === "seed") found.set(data.y, event.value);
    if (event.kind === "backward") found.set(operationOf(event).out, event.value);
    if (event.kind === "accumulate" && !(event === frame.event && asks)) found.set(event.to, event.after);
  }
  return found;
}

const showsAll = (frame) => frame.kind === "end" || (frame.kind === "overview" && !state.predicting);

function renderGraph(frame) {
  const { kind, event, beat } = frame;
  for (const e of graph().querySelectorAll(MARKS.map((name) => `.${name}`).join())) e.classList.remove(...MARKS);
  for (const e of graph().querySelectorAll("[marker-start]")) e.removeAttribute("marker-start");
  renderGradients(frame, (state.found = gradients(frame)));
  renderAhead(frame);
  const operation = operationOf(event);
  const out = `${operation?.id}-${operation?.outId}`;
  mark("now", operation?.id);
  if (kind === "forward") mark("forwards", out);
  if (kind === "backward" && beat === 2) flowBack(out);
  if (kind === "accumulate") flowBack(event.edge);
  if (beat === 4 && !asking(frame)) mark("reached", event.toId);
  if (kind === "seed") mark("reached", data.nodes.find((node) => node.label === data.y)?.id);
  follow([operation?.id, operation?.outId, kind === "seed" ? data.nodes.at(-1)?.id : event?.toId]);
}

/** Mark an edge that a gradient takes, with an arrow that points back: motion alone would not reach everyone. */
function flowBack(id) {
  mark("backwards", id);
  within(id)?.querySelector("path")?.setAttribute("marker-start", `url(#${drawing().querySelector("marker").id})`);
}

/** What the forward pass has not reached yet is faint; local derivatives appear as their edges are taken. */
function renderAhead(frame) {
  const { kind, row, beat } = frame;
  const ids = (event) => (event.kind === "forward" ? [operationOf(event).id, operationOf(event).outId] : []);
  const done = new Set(data.events.slice(0, row + 1).flatMap(ids));
  const ahead = kind === "overview" ? [] : data.events.slice(row + 1).flatMap(ids);
  mark("ahead", ...ahead.filter((id) => !done.has(id)));
  const taken = showsAll(frame) ? data.events : data.events.slice(0, asking(frame) && beat === 3 ? row : row + 1);
  mark("known", ...taken.map((event) => event.edge).filter(Boolean));
}

/** A small array in one line, as the nodes show it; empty for others. */
function briefly(array) {
  const numbers = elements(array).map(([, s]) => text(s));
  return Array.isArray(array) && numbers.length ? `[${numbers.join(", ")}]` : numbers.join("");
}

function renderGradients(frame, found) {
  for (const { id, label, gradient, lines } of data.nodes) {
    const sofar = showsAll(frame) ? gradient : found.get(label) ?? null;
    const line = lines === 1 ? briefly(arrayAt(sofar)) : "";
    if (sofar === null || (sofar !== gradient && !line)) continue;
    mark("known", id);
    const e = line && within(id)?.querySelector("text.gradient");
    if (e) e.textContent = `∇ ${line}`;
  }
}

// Layers that open and close

/** Show a picture: its nodes and edges have ids of their own. */
function showPicture(level) {
  state.level = level;
  const ids = data.levels[level];
  data.operations.forEach((operation, i) => ([operation.id, operation.outId] = ids.operations[i]));
  const shares = data.events.filter(({ kind }) => kind === "accumulate");
  shares.forEach((event, i) => ([event.toId, event.edge] = ids.shares[i]));
  data.inputs.forEach((input, i) => (input.id = ids.inputs[i]));
  data.nodes = ids.nodes;
  state.zoomed = null;
  showGraph();
  render();
}

/** The next picture in which all layers of a depth are open or closed; undefined if there is none. */
function nextLevel(by) {
  const now = data.levels[state.level]?.open ?? [];
  const [small, large] = [(a, b) => a.length < b.length, (a, b) => a.every((i) => b.includes(i))];
  const fits = ({ open }) => (by > 0 ? small(now, open) && large(now, open) : small(open, now) && large(open, now));
  const levels = [...data.levels.slice(0, data.steps).keys()].filter((i) => fits(data.levels[i]));
  return by > 0 ? levels[0] : levels.at(-1);
}

function openLayers(by) {
  const level = nextLevel(by);
  if (level !== undefined) showPicture(level);
}

/** Open or close one layer; where there is no picture of that, all of its depth. */
function pressLayer(id) {
  const { open, scopes } = data.levels[state.level];
  const closes = !within(id).matches(".node");
  const inside = (i) => i && (i === scopes[id] || inside(data.outer[i]));
  const after = closes ? open.filter((i) => !inside(i)) : [...open, scopes[id]].sort((a, b) => a - b);
  const level = data.levels.findIndex((picture) => String(picture.open) === String(after));
  if (level >= 0) showPicture(level);
  else openLayers(closes ? -1 : 1);
}

function showGraph() {
  for (const e of document.querySelectorAll("#camera > .graph"))
    e.hidden = (Boolean(e.lang) && e.lang !== state.lang) || Number(e.dataset.level ?? state.level) !== state.level;
  $("layers").hidden = data.levels.length < 2;
  $("close-layers").disabled = nextLevel(-1) === undefined;
  $("open-layers").disabled = nextLevel(1) === undefined;
}

// The camera

/** The boxes of the nodes, by id, in the coordinates of the view. */
function boxes() {
  const svg = drawing();
  if (!svg) return new Map();
  svg.boxes ??= new Map(
    [...svg.querySelectorAll(".node")].map((node) => {
      const { x, y, width, height } = node.getBBox();
      const { e, f } = svg.querySelector("g").transform.baseVal.consolidate().matrix;
      return [node.id, { x: x + e, y: y + f, width, height }];
    }),
  );
  return svg.boxes;
}

function wholeView() {
  const svg = drawing();
  svg.whole ??= { ...Object.fromEntries(["x", "y", "width", "height"].map((k) => [k, svg.viewBox.baseVal[k]])) };
  return svg.whole;
}

/** How many pixels a unit of the drawing takes where all of it is seen; at most 1.7. */
function fitScale() {
  const { width, height } = wholeView();
  return Math.min($("camera").clientWidth / width, $("camera").clientHeight / height, 1.7);
}

/** Look at the point (x, y) with a scale; what fits is in the middle. */
function look(x, y, factor) {
  const svg = drawing();
  if (!svg || !(factor > 0)) return; // A frame that is not seen has no size.
  const whole = wholeView();
  const [width, height] = [$("camera").clientWidth / factor, $("camera").clientHeight / factor];
  const held = (at, size, from, all) =>
    size >= all ? from + all / 2 : Math.min(Math.max(at, from + size / 2 - 8), from + all - size / 2 + 8);
  state.view = { factor, x: held(x, width, whole.x, whole.width), y: held(y, height, whole.y, whole.height) };
  svg.setAttribute("viewBox", [state.view.x - width / 2, state.view.y - height / 2, width, height].join(" "));
  renderMap(width, height);
}

const middle = () => {
  const { x, y, width, height } = wholeView();
  return [x + width / 2, y + height / 2];
};

/** Whether there is a drawing that has been looked at. */
const isSeen = () => Boolean(drawing() && state.view);

function fit() {
  if (!drawing()) return;
  state.zoomed = null;
  look(...middle(), fitScale());
}

function zoom(by) {
  if (!isSeen()) return;
  state.zoomed = Math.min(Math.max(state.view.factor * by, fitScale() / 2), 6);
  look(state.view.x, state.view.y, state.zoomed);
}

/** See the nodes with these ids: all of the graph if its letters can be read, otherwise their surroundings. */
function follow(ids) {
  if (!drawing()) return within(ids.find(Boolean))?.scrollIntoView({ block: "nearest" });
  const seen = ids.map((id) => boxes().get(id)).filter(Boolean);
  const factor = state.zoomed ?? fitScale();
  if (!seen.length || (state.zoomed === null && factor >= READABLE)) return look(...middle(), factor);
  const [left, top] = [Math.min(...seen.map((b) => b.x)), Math.min(...seen.map((b) => b.y))];
  const [right, bottom] = [Math.max(...seen.map((b) => b.x + b.width)), Math.max(...seen.map((b) => b.y + b.height))];
  const room = Math.min($("camera").clientWidth / (right - left + 30), $("camera").clientHeight / (bottom - top + 30));
  const close = state.zoomed ?? Math.max(Math.min(1.2, room), fitScale());
  look((left + right) / 2, (top + bottom) / 2, close);
}

/** A small map, while only a part of the graph is seen. */
function renderMap(width, height) {
  const map = $("map");
  const whole = wholeView();
  const small = Math.min(map.width / whole.width, map.height / whole.height);
  const isWhole = width >= whole.width - 1 && height >= whole.height - 1;
  map.hidden = isWhole || $("camera").clientWidth < 500; // On a phone there is no room for it.
  if (map.hidden) return;
  const brush = map.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  brush.clearRect(0, 0, map.width, map.height);
  brush.fillStyle = style.getPropertyValue("--soft");
  for (const b of boxes().values()) brush.fillRect(b.x * small, b.y * small, Math.max(b.width * small, 1), Math.max(b.height * small, 1));
  brush.strokeStyle = style.getPropertyValue("--gradient");
  brush.lineWidth = 2;
  brush.strokeRect((state.view.x - width / 2) * small, (state.view.y - height / 2) * small, width * small, height * small);
}

function prepareGraphs() {
  for (const [i, svg] of document.querySelectorAll(".graph svg").entries()) {
    const defs = document.createElementNS(SVG, "defs");
    const marker = document.createElementNS(SVG, "marker");
    const about = { id: `backwards-${i}`, viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 5, markerHeight: 5, orient: "auto-start-reverse" };
    for (const [key, value] of Object.entries(about)) marker.setAttribute(key, value);
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", "M0,0L10,5L0,10z");
    marker.append(path);
    defs.append(marker);
    svg.prepend(defs);
    svg.removeAttribute("width");
    svg.removeAttribute("height");
    const order = new Map(data.operations.map((operation) => [operation.id, operation.pass]));
    for (const node of svg.querySelectorAll(".node")) if (order.get(node.id)) node.classList.add("derived");
  }
}

function listenToCamera() {
  const camera = $("camera");
  let drag = null;
  camera.addEventListener("pointerdown", (e) => (drag = { x: e.clientX, y: e.clientY, moved: false }));
  camera.addEventListener("pointermove", (e) => {
    if (!drag || !isSeen()) return;
    const [dx, dy] = [e.clientX - drag.x, e.clientY - drag.y];
    if (!drag.moved && Math.hypot(dx, dy) < 4) return;
    if (!drag.moved) camera.setPointerCapture(e.pointerId);
    state.zoomed ??= state.view.factor;
    look(state.view.x - dx / state.view.factor, state.view.y - dy / state.view.factor, state.view.factor);
    drag = { x: e.clientX, y: e.clientY, moved: true };
  });
  camera.addEventListener("pointerup", (e) => {
    const pressed = drag && !drag.moved ? e.target : null;
    drag = null;
    const node = pressed?.closest?.(".node");
    const cluster = pressed?.matches?.("text") && pressed.closest(".cluster");
    if (node?.matches(".layer")) pressLayer(node.id);
    else if (node) goTo(node.id);
    else if (pressed?.closest?.(".edge")) goAlong(pressed.closest(".edge").id);
    else if (cluster) pressLayer(cluster.id);
  });
  camera.addEventListener("wheel", (e) => {
    if (!isSeen()) return;
    e.preventDefault();
    if (e.ctrlKey || e.metaKey) return zoom(e.deltaY < 0 ? 1.15 : 1 / 1.15);
    look(state.view.x + e.deltaX / state.view.factor, state.view.y + e.deltaY / state.view.factor, state.view.factor);
  }, { passive: false });
}

/** Go to the step at which a gradient takes the edge with this id. */
function goAlong(id) {
  const to = frames.findIndex(({ event, beat }) => beat === 4 && event.edge === id);
  if (to >= 0) go(to);
}

/** Go to the step that a node is about: where its gradient is complete, or else where the first share arrives. */
function goTo(id) {
  const backwards = frames.findIndex(({ kind, event }) => kind === "backward" && [operationOf(event).id, operationOf(event).outId].includes(id));
  const arrives = frames.findIndex(({ kind, event, beat }) => kind === "accumulate" && beat === 4 && event.toId === id);
  const to = Math.max(backwards, backwards < 0 ? arrives : -1);
  if (to >= 0) go(to);
}
