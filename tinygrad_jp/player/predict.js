// Predicting: first the factor or the rule, then the number, as far as the screen has all that it takes.

/** The question at a frame: its kind, and what is right; null if there is none. */
function questionAt(frame) {
  const { kind, event, beat } = frame ?? {};
  if (kind !== "accumulate") return null;
  if (beat === 3) return { kind: event.factor !== undefined ? "factor" : "rule" };
  const found = event.answerable ? asked(event, frame.row) : null;
  return found && { kind: "number", ...found };
}

/** The element that is asked for: its name, and its number as text; null if not all numbers are shown. */
function asked(event, row) {
  const options = elements(arrayAt(event.value)).filter(([, s]) => Number.isFinite(Number(s)));
  if (!options.length) return null;
  const [path, answer] = options[row % options.length];
  return { name: `${derivativeText(event.to)}${path ? `[${path}]` : ""}`, answer };
}

const asking = (frame) => state.predicting && !state.answers.has(frame) && questionAt(frame) !== null;

/** The factors or rules to choose from, the right one among them, in an order that depends on the step alone. */
function options(frame) {
  const { event, row } = frame;
  const found = event.factor !== undefined ? factors(event) : rules(event);
  const shift = row % found.length;
  return [...found.slice(shift), ...found.slice(0, shift)];
}

function factors(event) {
  const right = event.factorMath ?? numberTree(arrayAt(event.factor));
  const value = Number(arrayAt(event.factor));
  const others = new Map();
  for (const e of data.events)
    if (e.factor !== undefined && e.factor !== event.factor && e.factorText !== event.factorText)
      others.set(e.factorText, e.factorMath ?? numberTree(arrayAt(e.factor)));
  const { out } = operationOf(event);
  if (value !== 0) others.set("-", ["mrow", ["mo", "−"], ...(right[0] === "mi" || right[0] === "mn" ? [right] : [["mo", "("], right, ["mo", ")"]])]);
  if (textAt(operationOf(event).value) !== textAt(event.factor)) others.set(out, ["mi", out]);
  if (Math.abs(value) !== 1) others.set("1", ["mn", "1"]);
  const wrong = [...others].filter(([key]) => key !== event.factorText).slice(0, 3);
  return [{ right: true, label: math(right), words: event.factorText }, ...wrong.map(([words, tree]) => ({ label: math(tree), words }))];
}

function rules(event) {
  const sentence = (texts) => ruleOf(texts, event);
  const known = [...data.rules, data.phrases["rule unchanged"], data.phrases["rule zero"]];
  const right = sentence(data.rules[event.rule]);
  const wrong = [...new Set(known.map(sentence))].filter((s) => s !== right).slice(-3);
  return [{ right: true, label: right, words: right }, ...wrong.map((s) => ({ label: s, words: s }))];
}

function choices(frame) {
  const { event } = frame;
  const { out } = operationOf(event);
  const ask = phrase(event.factor !== undefined ? "which factor" : "which rule", out, event.to);
  const answer = ({ right, words }) => settle(frame, words, Boolean(right), ask, options(frame).find((o) => o.right).words);
  const buttons = options(frame).map((option) => button(option.label, () => answer(option), "choice"));
  return element("div", "ask", element("p", "", ask), element("div", "choices", ...buttons));
}

/** The number that someone typed, or NaN: −1.5, 1/3, also in full-width digits. */
function typed(input) {
  const parts = input.normalize("NFKC").replaceAll("−", "-").split("/");
  const [a, b] = parts.map((s) => (s.trim() ? Number(s) : NaN));
  return parts.length === 1 ? a : parts.length === 2 ? a / b : NaN;
}

function question(frame) {
  const { name, answer } = questionAt(frame);
  const ask = phrase("question", name);
  const input = Object.assign(element("input"), { id: "guess", autocomplete: "off" });
  const label = Object.assign(element("label", "", ask), { htmlFor: "guess" });
  const complaint = element("p");
  const form = element("form", "ask", label, input, element("button", "", phrase("check")), complaint);
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const guess = typed(input.value);
    if (Number.isNaN(guess)) complaint.textContent = phrase("no number");
    else settle(frame, input.value, isClose(guess, Number(answer)), ask, text(answer));
  });
  return form;
}

/** Up to two per cent off counts as right, since the numbers on the page are rounded. */
const isClose = (guess, answer) => Math.abs(guess - answer) <= 0.02 * Math.abs(answer) + 1e-12;

function settle(frame, given, right, ask, answer) {
  state.answers.set(frame, { given, right, ask, answer });
  render();
  $("next").focus();
}

/** Whoever goes on without an answer has left the questions on the way open: they count. */
function skip(from, to) {
  for (const frame of frames.slice(from, to)) {
    if (!asking(frame)) continue;
    const { event } = frame;
    const found = questionAt(frame);
    const isNumber = found.kind === "number";
    const ask = isNumber ? phrase("question", found.name) : phrase(`which ${found.kind}`, operationOf(event).out, event.to);
    const answer = isNumber ? text(found.answer) : options(frame).find((o) => o.right).words;
    state.answers.set(frame, { given: "–", right: false, ask, answer });
  }
}

function verdict(frame) {
  const answer = state.answers.get(frame);
  if (!answer || !state.predicting) return null;
  const key = answer.right ? "right" : "wrong";
  return Object.assign(element("p", `verdict ${key}`, phrase(key, answer.answer)), { role: "status" });
}

const rightOnes = () => [...state.answers.values()].filter(({ right }) => right).length;

/** The result at the end, which can be printed. */
function results() {
  const line = (tag, ...cells) => element("tr", "", ...cells.map((cell) => element(tag, "", cell)));
  const rows = [...state.answers.values()].map(({ ask, given, answer, right }) => line("td", right ? "✓" : "✗", ask, given, answer));
  const head = line("th", "", ...["asked", "given", "right answer"].map((key) => phrase(key)));
  const table = element("table", "", element("thead", "", head), element("tbody", "", ...rows));
  const title = element("h3", "", phrase("score", rightOnes(), state.answers.size));
  return element("div", "beat results", title, table, button(phrase("print"), () => window.print()));
}
