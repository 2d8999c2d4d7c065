"use strict";
// The player. `data` is PageData.as_dict(): the phrases, and the operations, events and inputs of a backward pass.

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const LANGUAGES = ["en", "ja"];
const BEATS = { forward: [1], seed: [1], backward: [1, 2], accumulate: [3, 4], gap: [1] };
const PAUSE = 1800; // Milliseconds from one frame to the next, at speed 1.
const still = matchMedia("(prefers-reduced-motion: reduce)");

// A frame is what the page shows after one press of a key: an event has one or two. `row` is the number of its event.
const frames = [
  { kind: "overview", row: -1 },
  ...data.events.flatMap((event, row) => BEATS[event.kind].map((beat) => ({ kind: event.kind, event, beat, row }))),
  { kind: "end", row: data.events.length },
];
const state = { at: 0, lang: data.lang, zoom: 1, timer: 0, predicting: false, answers: new Map() };

// The card

function sentence({ kind, event, beat }) {
  if (kind === "overview") return phrase("say overview", data.y, textAt(data.value), data.y);
  if (kind === "end") return phrase("say end", data.y);
  if (kind === "gap") return phrase("say gap", event.count, data.half);
  if (kind === "seed") return phrase("say seed", data.y, textAt(event.value));
  const { out } = operationOf(event);
  if (kind === "forward") return phrase("say forward", out, textAt(event.value));
  if (kind === "backward") return phrase(`say ${beat}`, out, textAt(event.value));
  return beat === 3 ? phrase("say 3", event.to) : phrase("say 4", textAt(event.value), event.to);
}

function computation(operation) {
  const named = math(["mi", operation.out], ["mo", "="], operation.math ?? ["mtext", operation.text]);
  return row(named, equals(operation.numbers), math(["mo", "="]), arrayElement(operation.value, "value"));
}

/** gy = ∂y/∂v1 = its number; the fraction only if the output is one number and the pass starts from 1. */
function incoming(operation) {
  const whole = typeof arrayAt(data.value) === "string" && arrayAt(data.seed) === "1";
  const fraction = ["mfrac", ["mrow", ["mo", "∂"], ["mi", data.y]], ["mrow", ["mo", "∂"], ["mi", operation.out]]];
  const names = [["mi", "gy"], ["mo", "="], ...(whole ? [fraction, ["mo", "="]] : [])];
  return row(math(...names), arrayElement(operation.gradient, "gradient"));
}

function rule(frame) {
  const { event } = frame;
  const explanation = element("p", "rule", data.rules[event.rule][LANGUAGES.indexOf(state.lang)]);
  const named = event.math && math(event.math);
  if (asking(frame)) return [explanation, row(named), question(frame)];
  const value = event.whole ?? event.value;
  const result = event.math || !event.summed ? [math(["mo", "="]), arrayElement(value, "gradient")] : [];
  const broadcast = event.summed ? [element("p", "", phrase("summed", event.to)), summed(event)] : [];
  return [explanation, row(named, equals(event.numbers), ...result), ...broadcast, verdict(frame)];
}

function summed(event) {
  return row(event.whole === null ? null : arrayElement(event.whole, "gradient"), "→", arrayElement(event.value, "gradient"));
}

/** ∇a += −3 (1 → −2); for the first share, ∇a = −3. */
function addition({ event, beat }) {
  const name = math(["mo", "∇"], ["mi", event.to]);
  const first = event.before === null;
  const share = arrayElement(event.value, "gradient", first ? "share after" : "share");
  const change = [arrayElement(event.before, "gradient", "before"), "→", arrayElement(event.after, "gradient", "after")];
  const rest = first ? [element("p", "", phrase("first share"))] : ["(", ...change, ")"];
  return element("div", `row sum ${beat === 4 ? "now" : ""}`, name, math(["mo", first ? "=" : "+="]), share, ...rest);
}

function beatBox(number, frame, to, content) {
  const title = element("h3", "", phrase(`beat ${number}`) + (to ? ` → ${to}` : ""));
  const when = frame.beat === number ? "now" : content ? "" : "to-come";
  return element("div", `beat ${when}`, element("span", "number", `${number}`), title, ...(content ?? []));
}

function beats(frame) {
  const { kind, event, beat } = frame;
  if (kind === "forward") return [computation(operationOf(event))];
  if (kind === "seed") return [row(math(["mo", "∇"], ["mi", data.y], ["mo", "="]), arrayElement(event.value, "gradient"))];
  const about = (n) => beatBox(n, frame, "", [element("p", "", phrase(`about ${n}`))]);
  if (kind === "overview") return [1, 2, 3, 4].map(about);
  if (kind !== "backward" && kind !== "accumulate") return [];
  const operation = operationOf(event);
  return [
    beatBox(1, frame, "", [computation(operation)]),
    beatBox(2, frame, "", beat >= 2 ? [incoming(operation)] : null),
    beatBox(3, frame, event.to, beat >= 3 ? rule(frame) : null),
    beatBox(4, frame, event.to, beat >= 4 ? [addition(frame)] : null),
  ];
}

function renderCard(frame) {
  const phase = frame.kind === "accumulate" ? "backward" : frame.kind;
  Object.assign($("phase"), { textContent: phrase(phase), className: phase });
  $("say").textContent = sentence(frame);
  $("beats").replaceChildren(...beats(frame));
}

// Predicting

/** The element that is asked for: its name, and its number as text; null if not all numbers are shown. */
function asked({ event, row }) {
  const choices = elements(arrayAt(event.value)).filter(([, s]) => Number.isFinite(Number(s)));
  if (!choices.length) return null;
  const [path, answer] = choices[row % choices.length];
  return { name: path ? `${event.to}[${path}]` : event.to, answer };
}

function asking(frame) {
  return state.predicting && frame.beat === 3 && !state.answers.has(frame.row) && asked(frame) !== null;
}

/** The number that someone typed, or NaN: −1.5, 1/3, also in full-width digits. */
function typed(input) {
  const parts = input.normalize("NFKC").replaceAll("−", "-").split("/");
  const [a, b] = parts.map((s) => (s.trim() ? Number(s) : NaN));
  return parts.length === 1 ? a : parts.length === 2 ? a / b : NaN;
}

function question(frame) {
  const { name, answer } = asked(frame);
  const input = Object.assign(element("input"), { id: "guess", autocomplete: "off" });
  const label = Object.assign(element("label", "", phrase("question", name)), { htmlFor: "guess" });
  const complaint = element("p");
  const form = element("form", "ask", label, input, element("button", "", phrase("check")), complaint);
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const guess = typed(input.value);
    if (Number.isNaN(guess)) complaint.textContent = phrase("no number");
    else settle(frame, guess, Number(answer));
  });
  return form;
}

/** Up to two per cent off counts as right, since the numbers on the page are rounded. */
function settle(frame, guess, answer) {
  state.answers.set(frame.row, Math.abs(guess - answer) <= 0.02 * Math.abs(answer) + 1e-12);
  render();
  $("next").focus();
}

function verdict(frame) {
  if (!state.answers.has(frame.row)) return null;
  const right = state.answers.get(frame.row);
  const key = right ? "right" : "wrong";
  return Object.assign(element("p", key, phrase(key, text(asked(frame).answer))), { role: "status" });
}

// The graph

const MARKS = ["now", "ahead", "known", "forwards", "backwards", "reached"];
const graph = () => document.querySelector("#camera > .graph:not([hidden])");
const within = (id) => (id ? graph().querySelector(`[id="${id}"]`) : null);
const mark = (className, ...ids) => ids.forEach((id) => within(id)?.classList.add(className));

/** The gradients at a frame, by their names, as far as they have been added up. */
function gradients(frame) {
  const found = new Map();
  for (const event of data.events.slice(0, frame.beat === 3 ? frame.row : frame.row + 1)) {
    if (event.kind === "seed") found.set(data.y, event.value);
    if (event.kind === "backward") found.set(operationOf(event).out, event.value);
    if (event.kind === "accumulate") found.set(event.to, event.after);
  }
  return found;
}

const showsAll = (frame) => frame.kind === "end" || (frame.kind === "overview" && !state.predicting);

function renderGraph(frame) {
  const { kind, event, beat } = frame;
  for (const e of graph().querySelectorAll("[class]")) e.classList.remove(...MARKS);
  renderGradients(frame);
  renderAhead(frame);
  const operation = operationOf(event);
  const out = `${operation?.id}-${operation?.outId}`;
  mark("now", operation?.id);
  if (kind === "forward") mark("forwards", out);
  if (kind === "backward" && beat === 2) mark("backwards", out);
  if (kind === "accumulate") mark("backwards", event.edge);
  if (beat === 4) mark("reached", event.toId);
  if (kind === "seed") mark("reached", data.nodes.find((node) => node.label === data.y)?.id);
  follow(within(operation?.id) ?? graph().querySelector(".reached"));
}

/** What the forward pass has not reached yet is faint. */
function renderAhead({ kind, row }) {
  const ids = (event) => (event.kind === "forward" ? [operationOf(event).id, operationOf(event).outId] : []);
  const done = new Set(data.events.slice(0, row + 1).flatMap(ids));
  const ahead = kind === "overview" ? [] : data.events.slice(row + 1).flatMap(ids);
  mark("ahead", ...ahead.filter((id) => !done.has(id)));
}

/** A small array in one line, as the nodes show it; empty for others. */
function briefly(array) {
  const numbers = elements(array).map(([, s]) => text(s));
  return Array.isArray(array) && numbers.length ? `[${numbers.join(", ")}]` : numbers.join("");
}

function renderGradients(frame) {
  const found = gradients(frame);
  for (const { id, label, gradient, lines } of data.nodes) {
    const sofar = showsAll(frame) ? gradient : found.get(label) ?? null;
    const line = lines === 1 ? briefly(arrayAt(sofar)) : "";
    if (sofar === null || (sofar !== gradient && !line)) continue;
    mark("known", id);
    const e = line && within(id)?.querySelector(".gradient-line");
    if (e) e.textContent = `∇ ${line}`;
  }
}

/** Move the camera so that an element is in its middle. */
function follow(e) {
  if (!e) return;
  const [box, view] = [e.getBoundingClientRect(), $("camera").getBoundingClientRect()];
  const left = box.left + box.width / 2 - view.left - view.width / 2;
  const top = box.top + box.height / 2 - view.top - view.height / 2;
  $("camera").scrollBy({ left, top, behavior: still.matches ? "instant" : "smooth" });
}

/** Mark the lines that show gradients: the last ones of each node. */
function prepareGraphs() {
  for (const drawn of document.querySelectorAll(".graph"))
    for (const { id, lines } of data.nodes) {
      const texts = lines ? [...drawn.querySelectorAll(`[id="${id}"] text`)].slice(-lines) : [];
      for (const line of texts) line.classList.add("gradient-line");
    }
}

/** Draw the graph `state.zoom` times as large as fits, but never too small to read. */
function zoom() {
  const svg = graph().querySelector("svg");
  if (!svg) return;
  const { width, height } = svg.viewBox.baseVal;
  const fit = Math.min(($("camera").clientWidth - 30) / width, ($("camera").clientHeight - 30) / height);
  const scale = Math.min(Math.max(fit, 1), 1.6) * state.zoom;
  svg.setAttribute("width", width * scale);
  svg.setAttribute("height", height * scale);
}

// The table, the log, the controls

function buildInputs() {
  const cells = (tag, ...contents) => contents.map((content) => element(tag, "", element("div", "", content)));
  const line = (tag, ...contents) => element("tr", "", ...cells(tag, ...contents));
  const rows = data.inputs.map(({ label, value, gradient }) =>
    line("td", label, arrayElement(value, "value"), arrayElement(gradient, "gradient")),
  );
  if (data.moreInputs) rows.push(line("td", phrase("more inputs", data.moreInputs)));
  const head = element("thead", "", line("th", ...["name", "value", "gradient"].map((key) => phrase(key))));
  $("inputs").replaceChildren(head, element("tbody", "", ...rows));
}

function renderInputs(frame) {
  const found = gradients(frame);
  data.inputs.forEach(({ label, gradient }, i) => {
    const complete = showsAll(frame) || found.get(label) === gradient;
    $("inputs").tBodies[0].rows[i].className = complete ? "" : state.predicting ? "secret" : "to-come";
  });
}

function logLine(event) {
  if (event.kind === "seed") return phrase("log seed", data.y, textAt(event.value));
  if (event.kind === "gap") return phrase("log gap", event.count);
  if (event.kind === "forward") return `${statement(operationOf(event))} = ${textAt(event.value)}`;
  if (event.kind === "backward") return phrase("log backward", statement(operationOf(event)), textAt(event.value));
  if (event.before === null) return `∇${event.to} = ${textAt(event.value)}`;
  return `∇${event.to} += ${textAt(event.value)} (${textAt(event.before)} → ${textAt(event.after)})`;
}

function buildLog() {
  $("log").replaceChildren(...data.events.map((event) => element("li", event.kind, logLine(event))));
}

function renderLog(frame) {
  $("log").querySelector("[aria-current]")?.removeAttribute("aria-current");
  $("log").className = frame.row < 0 ? "before-all" : "";
  const li = $("log").children[frame.row];
  li?.setAttribute("aria-current", "step");
  $("log").scrollTop = li ? li.offsetTop - $("log").clientHeight / 2 : frame.row * 1000;
}

function renderControls(frame) {
  const last = frames.length - 1;
  Object.assign($("slider"), { max: last, value: state.at, ariaValueText: `${state.at} / ${last}` });
  $("count").textContent = `${state.at} / ${last}`;
  $("first").disabled = $("back").disabled = state.at === 0;
  $("last").disabled = $("next").disabled = state.at === last;
  $("play").textContent = phrase(state.timer ? "pause" : "play");
  $("predict").setAttribute("aria-pressed", state.predicting);
  const right = [...state.answers.values()].filter(Boolean).length;
  $("score").textContent = state.predicting ? phrase("score", right, state.answers.size) : "";
  $("say").setAttribute("aria-live", state.timer ? "off" : "polite");
  document.documentElement.classList.toggle("predicting", state.predicting);
  document.documentElement.classList.toggle("asking", asking(frame));
}

function render() {
  for (const part of [renderCard, renderGraph, renderInputs, renderLog, renderControls]) part(frames[state.at]);
}

// What the user does

function go(at) {
  const to = Math.min(Math.max(at, 0), frames.length - 1);
  if (to === state.at) return;
  state.at = to;
  if (to === frames.length - 1 || asking(frames[to])) stop();
  render();
  $("guess")?.focus({ preventScroll: true });
}

function stop() {
  clearTimeout(state.timer);
  state.timer = 0;
}

function tick() {
  state.timer = setTimeout(tick, PAUSE / Number($("speed").value));
  go(state.at + 1);
}

function play() {
  if (state.timer) stop();
  else {
    if (state.at === frames.length - 1) state.at = -1;
    tick();
  }
  renderControls(frames[state.at]);
}

function predict() {
  state.predicting = !state.predicting;
  state.answers.clear();
  render();
}

function speak(lang) {
  state.lang = document.documentElement.lang = lang;
  document.title = phrase("title");
  for (const e of document.querySelectorAll("[data-phrase]")) e.textContent = phrase(e.dataset.phrase);
  for (const e of document.querySelectorAll("[data-name]")) e.setAttribute("aria-label", phrase(e.dataset.name));
  for (const e of document.querySelectorAll("[data-lang]")) e.setAttribute("aria-pressed", e.dataset.lang === lang);
  for (const e of document.querySelectorAll("#camera > .graph")) e.hidden = Boolean(e.lang) && e.lang !== lang;
  buildInputs();
  buildLog();
  zoom();
  render();
}

const KEYS = {
  ArrowLeft: () => go(state.at - 1),
  ArrowRight: () => go(state.at + 1),
  Home: () => go(0),
  End: () => go(frames.length - 1),
  " ": play,
};

function onKey(e) {
  const busy = e.target.matches("select") || e.target.value && e.target.id === "guess";
  const pressed = e.key === " " && e.target.matches("button, #guess");
  if (busy || pressed || !KEYS[e.key] || e.ctrlKey || e.metaKey || e.altKey) return;
  e.preventDefault();
  KEYS[e.key]();
}

function listen() {
  const clicks = { first: KEYS.Home, back: KEYS.ArrowLeft, play, next: KEYS.ArrowRight, last: KEYS.End, predict };
  const resize = (factor) => () => ((state.zoom *= factor), zoom(), render());
  Object.assign(clicks, { smaller: resize(0.8), larger: resize(1.25) });
  for (const [id, action] of Object.entries(clicks)) $(id).addEventListener("click", action);
  for (const e of document.querySelectorAll("[data-lang]")) e.addEventListener("click", () => speak(e.dataset.lang));
  $("slider").addEventListener("input", () => go(Number($("slider").value)));
  $("log").addEventListener("click", (e) => {
    const row = [...$("log").children].indexOf(e.target.closest("li"));
    if (row >= 0) go(frames.findIndex((frame) => frame.row === row));
  });
  document.addEventListener("keydown", onKey);
}

document.documentElement.classList.add("live");
prepareGraphs();
listen();
speak(data.lang);
