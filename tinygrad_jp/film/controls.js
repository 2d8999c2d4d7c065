// What the user does, and going from step to step.

function goTo(i) { state.at = Math.min(Math.max(i, 0), longest.frames.length - 1); draw(); }
function goToStep(step) {
  const i = longest.steps.findIndex(other => other >= step);
  goTo(i < 0 ? longest.steps.length - 1 : i);
}
function draw() {
  const frame = longest.steps[state.at], losses = films.map(film => film.losses.values[Math.min(Math.floor(frame / film.losses.block), film.losses.values.length - 1)]);
  find("slider").value = state.at;
  find("count").textContent = `${say("step")} ${frame.toLocaleString("en")}  ${say("loss")} ${losses.map(number).join(" / ")}`;
  find("slider").setAttribute("aria-valuetext", find("count").textContent);
  find("play").textContent = say(state.playing ? "pause" : "play");
  for (const button of document.querySelectorAll("[data-kind]")) button.setAttribute("aria-pressed", button.dataset.kind === state.kind);
  find("networks").hidden = !films.every(film => film.chain.length);
  for (const button of document.querySelectorAll("[data-network]")) button.setAttribute("aria-pressed", (button.dataset.network === "yes") === state.network);
  for (const ui of screens) { drawCharts(ui); drawLayers(ui); drawDetail(ui); drawField(ui); drawLatent(ui); drawNetwork(ui); }
  label();
}
/** What the pictures are called, for ears: the titles and numbers beside them. */
function label() {
  for (const canvas of document.querySelectorAll("canvas")) {
    const beside = [...canvas.parentElement.querySelectorAll(":scope > :is(h3, p, .legend)")].map(e => e.textContent);
    const hidden = canvas.parentElement.matches("button");
    canvas.setAttribute(hidden ? "aria-hidden" : "role", hidden ? "true" : "img");
    if (!hidden && !canvas.parentElement.matches(".network")) canvas.setAttribute("aria-label", beside.filter(Boolean).join(". ") || "–");
  }
}
function speak() {
  document.documentElement.lang = state.lang;
  document.title = say("title");
  for (const element of document.querySelectorAll("[data-phrase]")) element.textContent = say(element.dataset.phrase);
  for (const button of document.querySelectorAll("[data-lang]")) button.setAttribute("aria-pressed", button.dataset.lang === state.lang);
  find("slider").setAttribute("aria-label", say("step"));
  screens.forEach(drawInsights);
  draw();
}
function nextUnit(by) {
  const count = unitsOf(films[0], state.layer);
  if (count) choose(state.unit === null ? (by > 0 ? 0 : count - 1) : (state.unit + by + count) % count);
}
/** Inspect a unit of the chosen layer, or none. */
function choose(unit) {
  state.unit = unit;
  draw();
  if (unit !== null) for (const ui of screens) ui.unit.scrollIntoView({block: "nearest"});
}
function showNetwork(on) {
  state.network = on && films.every(film => film.chain.length);
  draw();
}
let timer = 0;
function play(on) {
  state.playing = on;
  clearInterval(timer);
  if (on && state.at === longest.frames.length - 1) state.at = 0;
  if (on) timer = setInterval(() => state.at + 1 < longest.frames.length ? goTo(state.at + 1) : play(false), 120 / +find("speed").value);
  if (!on) find("said").textContent = find("count").textContent;
  draw();
}
find("slider").max = longest.frames.length - 1;
find("slider").oninput = event => goTo(+event.target.value);
find("play").onclick = () => play(!state.playing);
find("speed").onchange = () => state.playing && play(true);
find("languages").onclick = event => { if (event.target.dataset.lang) { state.lang = event.target.dataset.lang; speak(); } };
find("kinds").onclick = event => { if (event.target.dataset.kind) { state.kind = event.target.dataset.kind; draw(); } };
find("networks").onclick = event => { if (event.target.dataset.network) showNetwork(event.target.dataset.network === "yes"); };
document.onkeydown = event => {
  if (event.ctrlKey || event.metaKey || event.altKey || find("player").open || event.target.tagName === "SELECT") return;
  const moves = {ArrowLeft: state.at - 1, ArrowRight: state.at + 1, Home: 0, End: longest.frames.length - 1};
  const kinds = {w: "weights", g: "gradients", u: "updates"};
  const units = {ArrowUp: -1, ArrowDown: 1};
  if (event.key in moves) goTo(moves[event.key]);
  else if (event.key in units) nextUnit(units[event.key]);
  else if (event.key === "Escape" && state.unit !== null) choose(null);
  else if (event.key === "n") showNetwork(!state.network);
  else if (event.key === " " && event.target.tagName !== "BUTTON") play(!state.playing);
  else if (kinds[event.key]) { state.kind = kinds[event.key]; draw(); }
  else return;
  event.preventDefault();
};
const redraw = () => { readColors(); draw(); };
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
addEventListener("resize", redraw);
readColors();
speak();
find("films").dataset.ready = "yes";
Object.assign(window, {film: {state, goTo, draw, films, unitsOf, placesOf, showNetwork}});
