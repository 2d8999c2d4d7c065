// What the user does, and the parts that are not the graph, the card or the questions.

/** The lines of the program, each with its events; where none was written, a line for each event. */
const program = data.program.length ? data.program : data.events.map((event, row) => ({ rows: [row], ...programLine(event) }));

function programLine(event) {
  if (event.kind === "gap") return { gap: event.count };
  if (event.kind === "seed") return { code: `∇${data.y} = ${text(arrayAt(event.value))}`, depth: 0 };
  const operation = operationOf(event);
  if (event.kind === "forward") return { code: statement(operation), value: event.value, depth: 0 };
  if (event.kind === "backward") return { code: `gy = ∇${operation.out}`, note: statement(operation), value: event.value, depth: 0 };
  return { code: `∇${event.to} ${event.before === null ? "=" : "+="} ${event.code}`, value: event.after, depth: 1 };
}

function buildProgram() {
  const lines = program.map(({ gap, code, note, value, depth, rows }) => {
    if (gap) return element("li", "gap", phrase("log gap", gap));
    const written = Array.isArray(code) ? code[LANGUAGES.indexOf(state.lang)] : code;
    const words = element("code", "", localized(written.trimStart()));
    words.style.paddingLeft = `${2 * (depth ?? 0) + written.length - written.trimStart().length}ch`;
    const kind = data.events[rows.at(-1)]?.kind ?? (written.trimStart()[0] === "#" ? "comment" : "");
    const said = note ? element("span", "note", `# ${note}`) : null;
    const number = (value ?? null) === null ? null : element("span", "number", textAt(value));
    return element("li", kind, words, said, number);
  });
  $("program").replaceChildren(...lines);
  $("program").classList.toggle("written", data.program.length > 0);
  state.head = program.findIndex(({ rows }) => rows.length);
  state.line = null;
}

function renderProgram(frame) {
  const list = $("program");
  const i = program.findIndex(({ rows }) => rows.includes(frame.row));
  if (state.line) state.line.removeAttribute("aria-current");
  state.line = list.children[i] ?? null;
  state.line?.setAttribute("aria-current", "step");
  if (data.program.length) veil(frame);
  list.classList.toggle("veiled", state.predicting && frame.kind !== "end");
  list.classList.toggle("asking", asking(frame));
  list.classList.toggle("before-all", !state.line && frame.kind !== "end");
  const first = list.children[Math.max(program.findIndex(({ rows }) => rows.length) - 2, 0)];
  if (state.line) list.scrollTop = state.line.offsetTop - list.clientHeight / 2;
  else list.scrollTop = frame.row < 0 ? (first?.offsetTop ?? 0) : list.scrollHeight;
}

/** Lines of a written program may run in another order than the steps: which of them have not been gone through yet. */
function veil(frame) {
  const now = showsAll(frame) ? Infinity : asking(frame) ? frame.row - 1 : frame.row;
  let end = Infinity; // Of the line below: a line without a step is a part of that.
  for (let i = program.length - 1; i >= 0; i--) {
    const li = $("program").children[i];
    end = program[i].rows.at(-1) ?? end;
    li.classList.toggle("unrun", end > now && i >= state.head && !li.classList.contains("comment"));
  }
}

/** Go to the end of what a line does; a comment belongs to the line below it. */
function goToLine(i) {
  const line = program.slice(i).find(({ rows }) => rows.length);
  go(line ? frames.findLastIndex((frame) => line.rows.includes(frame.row)) : frames.length - 1);
}

function buildInputs() {
  const cells = (tag, ...contents) => contents.map((content) => element(tag, "", element("div", "", content)));
  const line = (tag, ...contents) => element("tr", "", ...cells(tag, ...contents));
  const rows = data.inputs.map(({ label, value }) => line("td", label, arrayElement(value, "value"), ""));
  if (data.moreInputs) rows.push(line("td", phrase("more inputs", data.moreInputs)));
  const head = element("thead", "", line("th", ...["name", "value", "gradient"].map((key) => phrase(key))));
  $("inputs").replaceChildren(head, element("tbody", "", ...rows));
  state.shown = [];
  state.made = {};
}

/** The gradients as far as they have been added up: bold once they are complete, nothing before. */
function renderInputs(frame) {
  data.inputs.forEach(({ label, gradient }, i) => {
    const sofar = showsAll(frame) ? gradient : state.found.get(label) ?? null;
    const tr = $("inputs").tBodies[0].rows[i];
    tr.className = [sofar === null ? "secret" : sofar === gradient ? "complete" : "partial", frame.event?.to === label ? "here" : ""].join(" ");
    if (state.shown[i] === sofar) return;
    state.shown[i] = sofar;
    const told = sofar !== null || (gradient === null && showsAll(frame));
    const made = told ? (state.made[`${i} ${sofar}`] ??= arrayElement(sofar, "gradient")) : "";
    tr.cells[2].firstChild.replaceChildren(made);
  });
}

function renderControls(frame) {
  const last = frames.length - 1;
  Object.assign($("slider"), { max: last, value: state.at });
  $("slider").setAttribute("aria-valuetext", `${state.at} / ${last}`);
  $("count").textContent = `${state.at} / ${last}`;
  $("first").disabled = $("back").disabled = state.at === 0;
  $("last").disabled = $("next").disabled = state.at === last;
  $("play").textContent = phrase(state.timer ? "pause" : "play");
  $("predict").setAttribute("aria-pressed", state.predicting);
  $("score").textContent = state.predicting ? phrase("score", rightOnes(), state.answers.size) : "";
}

function render() {
  for (const part of [renderCard, renderGraph, renderInputs, renderProgram, renderControls]) part(frames[state.at]);
}

// Going on

/** The frames to stop at: every beat, the last of every operation, or the last of every call of a layer. */
function stops(stride) {
  const group = ({ kind, event }) => {
    if (kind !== "forward" && kind !== "backward" && kind !== "accumulate") return kind;
    const { layer } = operationOf(event);
    const within = stride === "layer" && layer >= 0 ? `layer ${layer}` : event.operation;
    return `${kind === "forward" ? "forward" : "backward"} ${within}`;
  };
  const groups = frames.map(group);
  return [...frames.keys()].filter((i) => stride === "beat" || groups[i] !== groups[i + 1]);
}

function step(by) {
  const all = (state.stops[$("stride").value] ??= stops($("stride").value));
  const next = by > 0 ? all.find((i) => i > state.at) : all.findLast((i) => i < state.at);
  const waits = by > 0 && state.predicting ? [...frames.keys()].find((i) => i > state.at && i < next && asking(frames[i])) : undefined;
  go(waits ?? next ?? state.at);
}

/** Go to a beat of the operation at hand; of the last two, to that of the share at hand, or of the first one. */
function goToBeat(beat) {
  const { event, row } = frames[state.at];
  if (!event) return;
  const same = (frame) => frame.event?.operation === event.operation && frame.beat === beat && frame.kind !== "forward";
  const own = frames.findIndex((frame) => same(frame) && (frame.row === row || event.kind === "backward" || beat < 3));
  if (own >= 0) go(own);
}

function go(at) {
  const to = Math.min(Math.max(at, 0), frames.length - 1);
  if (to === state.at) return;
  if (state.predicting && to > state.at) skip(state.at, to);
  state.at = to;
  if (to === frames.length - 1 || asking(frames[to])) stop();
  render();
  ($("guess") ?? $("beats").querySelector(".choice"))?.focus({ preventScroll: true });
  clearTimeout(state.written);
  state.written = setTimeout(writeAddress, 500);
}

/** The address leads back to this frame: #b6. A frame in a notebook may have none to write. */
function writeAddress() {
  try {
    history.replaceState(null, "", `#b${state.at}`);
  } catch {
    state.written = 0;
  }
}

function readAddress() {
  const found = /^#b(\d+)$/.exec(location.hash);
  if (found) go(Number(found[1]));
}

function stop() {
  clearTimeout(state.timer);
  state.timer = 0;
}

function tick() {
  state.timer = setTimeout(tick, PAUSE / Number($("speed").value));
  step(1);
}

function play() {
  if (state.timer) stop();
  else {
    if (state.at === frames.length - 1) go(0);
    tick();
  }
  renderControls(frames[state.at]);
}

function predict() {
  state.predicting = !state.predicting;
  state.answers.clear();
  state.shown = [];
  render();
}

function open(tab) {
  document.documentElement.dataset.tab = tab;
  for (const e of document.querySelectorAll("[data-tab][role]")) e.setAttribute("aria-selected", e.dataset.tab === tab);
  if (tab === "move") renderMove();
  render();
}

function speak(lang) {
  state.lang = document.documentElement.lang = lang;
  document.title = phrase("title");
  for (const e of document.querySelectorAll("[data-phrase]")) e.textContent = phrase(e.dataset.phrase);
  for (const e of document.querySelectorAll("[data-name]")) e.setAttribute("aria-label", phrase(e.dataset.name));
  for (const e of document.querySelectorAll("[data-lang]")) e.setAttribute("aria-pressed", e.dataset.lang === lang);
  showGraph();
  const keys = phrase("keys").split("; ").map((line) => line.split(": "));
  $("keys").replaceChildren(...keys.flatMap(([key, does]) => [element("dt", "", key), element("dd", "", does)]));
  document.documentElement.classList.toggle("no-japanese", !drawsJapanese());
  buildInputs();
  buildProgram();
  renderMove();
  render();
}

/** Whether a font here has Japanese characters: without one, all of them look alike. */
function drawsJapanese() {
  const brush = element("canvas").getContext("2d", { willReadFrequently: true });
  const drawn = (sign) => {
    brush.clearRect(0, 0, 40, 40);
    brush.font = "20px sans-serif";
    brush.fillText(sign, 5, 25);
    return brush.getImageData(0, 0, 40, 40).data.join("");
  };
  return drawn("日") !== drawn("本");
}

const KEYS = {
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  Home: () => go(0),
  End: () => go(frames.length - 1),
  " ": play,
  f: fit,
  F: fit,
  "+": () => zoom(1.25),
  "=": () => zoom(1.25),
  "-": () => zoom(0.8),
  0: () => zoom(1 / state.view?.factor),
  p: predict,
  "[": () => openLayers(-1),
  "]": () => openLayers(1),
  "?": () => $("help").showModal(),
};

function onKey(e) {
  const typing = e.target.matches("select, #mover, #slider") && e.key.startsWith("Arrow");
  const busy = e.target.id === "guess" && (e.target.value || e.key.length === 1);
  const pressed = e.key === " " && e.target.matches("button, select");
  if (typing || busy || pressed || $("help").open || !Object.hasOwn(KEYS, e.key) || e.ctrlKey || e.metaKey || e.altKey) return;
  e.preventDefault();
  KEYS[e.key]();
}

function listen() {
  const clicks = { first: KEYS.Home, back: KEYS.ArrowLeft, play, next: KEYS.ArrowRight, last: KEYS.End, predict, fit };
  Object.assign(clicks, { smaller: KEYS["-"], larger: KEYS["+"], "ask-help": KEYS["?"], "close-layers": KEYS["["], "open-layers": KEYS["]"] });
  for (const [id, action] of Object.entries(clicks)) $(id).addEventListener("click", action);
  for (const e of document.querySelectorAll("[data-lang]")) e.addEventListener("click", () => speak(e.dataset.lang));
  for (const e of document.querySelectorAll("[data-tab][role]")) e.addEventListener("click", () => open(e.dataset.tab));
  $("slider").addEventListener("input", () => go(Number($("slider").value)));
  $("program").addEventListener("click", (e) => {
    const i = [...$("program").children].indexOf(e.target.closest("li"));
    if (i >= 0) goToLine(i);
  });
  $("beats").addEventListener("click", (e) => {
    const number = e.target.closest(".beat")?.querySelector(".number");
    if (number && !e.target.closest("button, input, .pick")) goToBeat(Number(number.textContent));
  });
  $("inputs").addEventListener("click", (e) => {
    const i = e.target.closest("tbody tr")?.rowIndex - 1;
    if (data.inputs[i]) goTo(data.inputs[i].id);
  });
  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", readAddress);
  new ResizeObserver(() => render()).observe($("camera"));
  listenToCamera();
}

document.documentElement.classList.add("live");
document.documentElement.dataset.tab = matchMedia("(max-width: 640px)").matches ? "card" : "program";
prepareGraphs();
listen();
speak(data.lang);
open(document.documentElement.dataset.tab);
readAddress();
