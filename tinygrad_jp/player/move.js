// Move it and see: one number of an input moves, and the output with it, as the engine has computed it beforehand.

function renderMove() {
  const panel = $("move");
  if (!data.moves.length) return panel.replaceChildren(element("p", "", phrase("no moves")));
  const move = data.moves[Math.min(state.moving, data.moves.length - 1)];
  const pick = (i) => () => ((state.moving = i), (state.moved = null), renderMove());
  const names = data.moves.map(({ label }, i) => {
    const e = button(label, pick(i));
    e.setAttribute("aria-pressed", i === state.moving);
    return e;
  });
  const slider = Object.assign(element("input"), { type: "range", id: "mover", min: 0, max: move.xs.length - 1 });
  const middle = (move.xs.length - 1) / 2;
  slider.value = state.moved ?? middle + 1;
  slider.setAttribute("aria-label", move.label);
  const told = element("p", "told");
  told.setAttribute("role", "status");
  const chart = curve(move);
  const show = () => {
    state.moved = Number(slider.value);
    told.replaceChildren(...moved(move, state.moved, middle));
    chart.at(state.moved);
    slider.setAttribute("aria-valuetext", told.textContent);
  };
  slider.addEventListener("input", show);
  panel.replaceChildren(element("div", "names", ...names), slider, told, chart.svg);
  show();
}

const short = (x) => text(String(Number(x.toPrecision(4))));

/** a 2 → 2.1: y 8 → 8.4, and 4 × 0.1 = 0.4 is foretold. */
function moved({ label, xs, ys, gradient, texts }, at, middle) {
  const dx = xs[at] - xs[middle];
  const line = (...parts) => element("span", "line", ...parts);
  const change = (name, values) => element("strong", "value", `${name} ${text(values[middle])} → ${text(values[at])}`);
  const foretold = `${derivativeText(label)} × Δ = ${short(gradient)} × ${bracketed(short(dx).replace("−", "-"))} = ${short(gradient * dx)}`;
  const real = `Δ${data.y} = ${short(ys[at] - ys[middle])}`;
  return [
    line(change(label, texts[0]), "  ⇒  ", change(data.y, texts[1])),
    line(element("span", "gradient", foretold), element("span", "", phrase(isClose(ys[at] - ys[middle], gradient * dx) ? "as told" : "not as told", real))),
  ];
}

/** The output over the input, with its tangent, whose slope is the gradient. */
function curve({ label, xs, ys, gradient }) {
  const [width, height, margin] = [300, 130, 14];
  const middle = (xs.length - 1) / 2;
  const low = Math.min(...ys), high = Math.max(...ys);
  const spread = high - low || 1;
  const px = (x) => margin + ((x - xs[0]) / (xs.at(-1) - xs[0])) * (width - 2 * margin);
  const py = (y) => height - margin - ((y - low) / spread) * (height - 2 * margin);
  const make = (tag, className, about) => {
    const e = document.createElementNS(SVG, tag);
    e.setAttribute("class", className);
    for (const [key, value] of Object.entries(about)) e.setAttribute(key, value);
    return e;
  };
  const svg = make("svg", "curve", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": phrase("curve", data.y, label) });
  const tangent = (x) => ys[middle] + gradient * (x - xs[middle]);
  const dot = make("circle", "dot", { r: 4.5 });
  const told = make("circle", "told", { r: 3.5 });
  const names = [make("text", "", { x: width - margin, y: height - 2, "text-anchor": "end" }), make("text", "", { x: 2, y: 11 })];
  [names[0].textContent, names[1].textContent] = [label, data.y].map((name) => (name.length > 16 ? `${name.slice(0, 15)}…` : name));
  svg.append(
    make("line", "tangent", { x1: px(xs[0]), y1: py(tangent(xs[0])), x2: px(xs.at(-1)), y2: py(tangent(xs.at(-1))) }),
    make("polyline", "output", { points: xs.map((x, i) => `${px(x)},${py(ys[i])}`).join(" ") }),
    make("circle", "start", { r: 3, cx: px(xs[middle]), cy: py(ys[middle]) }), told, dot, ...names,
  );
  const place = (e, x, y) => (e.setAttribute("cx", px(x)), e.setAttribute("cy", py(y)));
  return { svg, at: (i) => (place(dot, xs[i], ys[i]), place(told, xs[i], tangent(xs[i]))) };
}
