// The card: what happens at a frame, with the chain rule written out.

/** The sentence of a rule, with the names that an event has. */
function ruleOf(texts, { names }) {
  return texts[LANGUAGES.indexOf(state.lang)].replace(/\{(\d)\}|\{\{|\}\}/g, (gap, n) => (n ? names[n] : gap[0]));
}

const shapeOf = ({ shape }, n) => (shape && !arrayAt(n)?.heat ? element("span", "shape", shape) : null);

function sentence({ kind, event, beat }) {
  if (kind === "overview") return phrase(data.order === 2 ? "say overview 2" : "say overview", data.y, textAt(data.value));
  if (kind === "end") return phrase("say end", data.y);
  if (kind === "gap") return phrase("say gap", event.count, data.half);
  if (kind === "seed") return phrase("say seed", data.y, textAt(event.value));
  const { out } = operationOf(event);
  if (kind === "forward") return phrase("say forward", out, textAt(event.value));
  if (kind === "backward") return phrase(`say ${beat}`, out, textAt(event.value));
  return phrase(beat === 4 && event.factor === undefined ? "say 4 rule" : `say ${beat}`, event.to, out);
}

/** The same for ears: the sentence, and the numbers that the card shows. */
function spoken(frame) {
  const { kind, event, beat } = frame;
  const said = [sentence(frame)];
  if (kind === "accumulate" && !asking(frame)) {
    const { out, gradient } = operationOf(event);
    if (event.factor !== undefined) said.push(`∂${out}/∂${event.to} = ${textAt(event.factor)}`);
    if (beat === 4 && event.factor !== undefined)
      said.push(`${textAt(gradient)} × ${textAt(event.factor)} = ${textAt(event.whole ?? event.value)}`);
    if (beat === 4) said.push(`${derivativeText(event.to)}: ${textAt(event.value)}`, together(event).words);
  }
  return said.join(state.lang === "ja" ? "。" : ". ");
}

const LONGEST = 48; // Characters of a formula that is shown as mathematics, which has only one line.

/** A formula as mathematics, or as code if it needs several lines. */
function written(tree, code) {
  return tree && code.length <= LONGEST ? math(tree) : element("code", "formula", localized(code));
}

function ruleFormula(event) {
  const { out } = operationOf(event);
  return written(withDerivative(event.math, out), event.code.length <= LONGEST ? "" : event.code.replace(/\bgy\b/g, derivativeText(out)));
}

function computation(operation) {
  const named = element("span", "result", math(["mi", operation.out], ["mo", "="]), written(operation.math, operation.text));
  const result = element("span", "result", math(["mo", "="]), arrayElement(operation.value, "value"), shapeOf(operation, operation.value));
  return row(named, equals(operation.numbers), result);
}

const incoming = (operation) =>
  row(math(colored("gradient", derivative(operation.out)), ["mo", "="]), arrayElement(operation.gradient, "gradient"), shapeOf(operation, operation.gradient));

const localDerivative = (event) => colored("local", fraction(operationOf(event).out, event.to));

/** The local derivative, if the rule is a product with one; otherwise the rule as a formula. */
function rule(frame) {
  const { event, beat } = frame;
  const own = beat === 4 ? frames[frames.indexOf(frame) - 1] : frame;
  if (asking(own)) return [choices(own)];
  const explanation = element("p", "rule", ruleOf(data.rules[event.rule], event));
  const { out } = operationOf(event);
  const broadcast = event.summed ? element("p", "", phrase("summed", event.to)) : null;
  if (event.factor !== undefined) {
    const named = event.factorMath ? written(event.factorMath, event.factorText) : null;
    const parts = [math(localDerivative(event), ["mo", "="]), named, named && math(["mo", "="]), arrayElement(event.factor, "local")];
    return [row(...parts), explanation, broadcast, verdict(own)];
  }
  const formula = event.math ? row(math(colored("gradient", derivative(event.to)), ["mo", "←"]), ruleFormula(event)) : null;
  return [formula, explanation, broadcast, verdict(own)];
}

/** ∂y/∂a ← ∂y/∂v1 × ∂v1/∂a, then the same in numbers; and the sum over what broadcasting had copied. */
function product(frame) {
  const { event } = frame;
  if (asking(frame)) return [question(frame)];
  const { out, gradient } = operationOf(event);
  const target = colored("gradient", derivative(event.to));
  const whole = event.whole ?? event.value;
  const sign = ["mo", event.shape || operationOf(event).shape ? "⊙" : "×"];
  const picked = element("p", "picked");
  const pick = (i, j) => picked.replaceChildren(...elementSum(event, i, j));
  const share = arrayElement(whole, "gradient", event.before === null && !event.summed ? "share after" : event.summed ? "" : "share", pick);
  const shape = shapeOf(event, event.value);
  const symbols = event.factor !== undefined ? math(target, ["mo", "←"], colored("gradient", derivative(out)), sign, localDerivative(event)) : null;
  const numbers = event.factor !== undefined ? row(share, math(["mo", "="]), arrayElement(gradient, "gradient"), math(sign), arrayElement(event.factor, "local"), shape) : null;
  const named = event.math ? [ruleFormula(event), math(["mo", "="])] : [];
  const formula = event.factor === undefined ? row(math(target, ["mo", "←"]), ...named, share, shape) : null;
  const steps = event.numbers && event.factor === undefined && event.math ? row(math(["mo", "="], event.numbers)) : null;
  const copies = event.summed ? summed(event, pick) : null;
  return [symbols && row(symbols), numbers, formula, steps, copies, picked, addition(event), verdict(frame)];
}

function summed(event, pick) {
  const role = event.before === null ? "share after" : "share";
  return row(event.whole === null ? null : arrayElement(event.whole, "gradient"), "→", arrayElement(event.value, "gradient", role, pick));
}

/** One element of a share: its name, its number, and the sum of products that it is. */
function elementSum(event, i, j) {
  const at = (n, a, b) => {
    const array = arrayAt(n);
    const rows = array?.rows ?? array;
    return Array.isArray(rows?.[0]) ? rows[a]?.[b] : rows?.[b];
  };
  const name = `${derivativeText(event.to)}[${event.shape.includes(",)") ? j : `${i}, ${j}`}] = `;
  const number = text(at(event.value, i, j) ?? "–");
  if (event.terms) {
    const [left, right] = event.terms;
    const count = (arrayAt(left).rows ?? arrayAt(left))[0].length;
    const terms = [...Array(count).keys()].map((k) => `${bracketed(at(left, i, k))}·${bracketed(at(right, k, j))}`);
    return [`${name}${terms.join(" + ")} = ${number}`];
  }
  const whole = arrayAt(event.whole);
  const copies = (whole?.rows ?? whole) || [];
  if (event.summed && Array.isArray(copies[0])) return [`${name}${copies.map((line) => bracketed(line[j])).join(" + ")} = ${number}`];
  return [`${name}${number}`];
}

const bracketed = (s) => (s[0] === "-" ? `(${text(s)})` : text(s));

/** What has arrived at the target of a share: "directly 1, by way of v1 3, together 4". */
function together(event) {
  const all = data.events.filter((e) => e.kind === "accumulate" && e.to === event.to);
  const sofar = all.slice(0, all.indexOf(event) + 1);
  const brief = (n) => (arrayAt(n)?.heat ? "" : textAt(n)); // Of large arrays there is nothing to add up by eye.
  const way = (e) => phrase(operationOf(e).out === data.y ? "directly" : "by way", operationOf(e).out, brief(e.value)).trim();
  const ways = sofar.length > 4 ? ["…", ...sofar.slice(-3).map(way)] : sofar.map(way);
  const last = sofar.length > 1 && brief(event.after) ? phrase("together", brief(event.after)) : "";
  const rest = sofar.length < all.length ? phrase("to come", all.length - sofar.length) : "";
  return { words: [...ways, last, rest].filter(Boolean).join(state.lang === "ja" ? "、" : ", "), isSum: sofar.length > 1 };
}

function addition(event) {
  const { words, isSum } = together(event);
  const line = element("p", "ways", words);
  if (!isSum) return element("div", "sum now", line);
  const parts = [arrayElement(event.before, "gradient", "before"), math(["mo", "+"]), arrayElement(event.value, "gradient", "share"), math(["mo", "="]), arrayElement(event.after, "gradient", "after")];
  const total = row(math(colored("gradient", derivative(event.to)), ["mo", "="]), ...parts);
  return element("div", "sum now", total, line);
}

function beatBox(number, frame, to, content) {
  const title = element("h3", "", phrase(`beat ${number}`) + (to ? ` → ${to}` : ""));
  const when = frame.beat === number ? "now" : content ? "" : "to-come";
  return element("div", `beat ${when}`, element("span", "number", `${number}`), title, ...(content ?? []));
}

function beats(frame) {
  const { kind, event, beat } = frame;
  if (kind === "forward") return [element("div", "beat now", computation(operationOf(event)))];
  if (kind === "seed") return [element("div", "beat now", row(math(colored("gradient", derivative(data.y)), ["mo", "="]), arrayElement(event.value, "gradient")))];
  const about = (n) => beatBox(n, frame, "", [element("p", "", phrase(`about ${n}`))]);
  if (kind === "overview") return [1, 2, 3, 4].map(about);
  if (kind === "end") return state.predicting ? [results()] : [element("div", "beat now", gradientRows())];
  if (kind === "gap") return [];
  const operation = operationOf(event);
  return [
    beatBox(1, frame, "", [computation(operation)]),
    beatBox(2, frame, "", beat >= 2 ? [incoming(operation)] : null),
    beatBox(3, frame, event.to, beat >= 3 ? rule(frame) : null),
    beatBox(4, frame, event.to, beat >= 4 ? product(frame) : null),
  ];
}

/** The gradients of the first few inputs, as the pass ends. */
function gradientRows() {
  const rows = data.inputs.slice(0, 6).map(({ label, gradient }) => row(math(colored("gradient", derivative(label)), ["mo", "="]), arrayElement(gradient, "gradient")));
  return element("div", "results", ...rows);
}

function renderCard(frame) {
  const { kind, event } = frame;
  const phase = kind === "accumulate" ? "backward" : kind;
  const second = data.order === 2 && ["forward", "seed", "backward"].includes(phase);
  const key = second ? (phase === "forward" ? (operationOf(event).pass ? "first derivative" : "forward") : `${phase} 2`) : phase;
  Object.assign($("phase"), { textContent: phrase(key), className: phase });
  $("say").textContent = sentence(frame);
  $("spoken").textContent = state.timer ? "" : spoken(frame);
  $("beats").replaceChildren(...beats(frame));
  shrink();
}

const SMALLEST = 9; // pixels

/** Letters as large as the room allows, so that a whole step is seen without scrolling; then less of earlier beats. */
function shrink() {
  const box = $("beats");
  const fits = () => box.scrollHeight <= box.clientHeight || box.querySelector(".results table"); // A table is scrolled.
  for (const [className, sizes] of [["", [16, 15, 14, 13, 12]], ["compact", [13, 12, 11]], ["tight", [14, 13, 12, 11, 10, SMALLEST]]])
    for (const size of sizes) {
      box.className = className;
      box.style.fontSize = `${size}px`;
      for (const e of box.querySelectorAll(".row")) narrow(e, size);
      if (fits()) return;
    }
  box.querySelector(".now")?.scrollIntoView({ block: "nearest" });
}

/** Smaller letters for a row that holds a long formula; if that does not help, it can be scrolled. */
function narrow(e, size) {
  e.style.fontSize = "";
  e.classList.remove("long");
  if (e.scrollWidth <= e.clientWidth + 1) return;
  for (let smaller = size - 1; smaller >= SMALLEST && e.scrollWidth > e.clientWidth + 1; smaller--) e.style.fontSize = `${smaller}px`;
  e.classList.toggle("long", e.scrollWidth > e.clientWidth + 1);
}
