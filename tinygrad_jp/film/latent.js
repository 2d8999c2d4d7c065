// Points of a plane: the answers over that of the inputs, and the latent space of a layer.

const classColor = k => colors[LINES[k % LINES.length]];
/** The classes of the examples of a frame, by number, or levels from 0 to 255 of what they should give. */
const targetsAt = (film, frame) => film.frames[frame].targets === null ? null : bytes(film.frames[frame].targets);
function targetColor({ends}, t) {
  if (ends[ends.length - 1] === null) return `rgb(${shade((t - 127.5) / 127.5)})`;
  return classColor(Number.isInteger(ends[t]) && ends[t] >= 0 ? ends[t] : t);
}
function drawLatent(ui) {
  if (!ui.latent) return;
  const film = ui.film, path = twin(ui)?.path, found = film.latents[path], [c, w, h] = context(ui.latent), frame = frameOf(film);
  ui.latentTitle.textContent = `${say("latent")}${found ? `: ${path || film.name}` : ""}`;
  ui.latentLegend.replaceChildren();
  if (!found?.points[frame]) { ui.latentLegend.textContent = say("no latent"); return; }
  const points = bytes(found.points[frame]), classes = targetsAt(film, frame), size = Math.min(w, h) - 22, left = (w - size) / 2;
  const axis = k => (size < 130 ? percent(found.shares[k]) : `${say("component", k + 1)} ${percent(found.shares[k])}`);
  const known = classes?.length === points.length / 2;
  c.strokeStyle = colors["--line"]; c.strokeRect(left + .5, 2.5, size, size);
  c.fillStyle = colors["--soft"]; c.textAlign = "center";
  c.fillText(axis(0), w / 2, size + 16);
  c.save(); c.translate(left - 6, 2 + size / 2); c.rotate(-Math.PI / 2); c.fillText(axis(1), 0, 0); c.restore();
  for (let k = 0; k < points.length / 2; k++) {
    c.beginPath();
    c.arc(left + 4 + points[2 * k] / 255 * (size - 8), size - 2 - points[2 * k + 1] / 255 * (size - 8), 3, 0, 7);
    c.fillStyle = c.strokeStyle = known ? targetColor(film, classes[k]) : colors["--value"];
    c.globalAlpha = .8; c.lineWidth = 1.4;
    known && isHollow(film, classes[k]) ? c.stroke() : c.fill();
  }
  c.globalAlpha = 1;
  if (known && film.ends[film.ends.length - 1] !== null) film.ends.forEach((end, k) => {
    make("span", ui.latentLegend, "", `${isHollow(film, k) ? "○" : "●"} ${number(end)}`).style.color = targetColor(film, k);
  });
}
/** From the seventh class on the colors are those of the first ones, and the points are rings. */
const isHollow = ({ends}, t) => ends[ends.length - 1] !== null && (Number.isInteger(ends[t]) ? ends[t] : t) >= LINES.length;

function drawField(ui) {
  if (!ui.field) return;
  const [c, w, h] = context(ui.field), {plane} = ui.film, answers = ui.film.frames.slice(0, frameOf(ui.film) + 1).reverse().map(frame => frame.field).find(field => field);
  if (!answers) return;
  const raw = bytes(answers.values || answers.classes), shares = answers.shares ? bytes(answers.shares) : null, side = Math.sqrt(raw.length), size = Math.min(w, h);
  for (let k = 0; k < raw.length; k++) {
    c.globalAlpha = shares ? .12 + .6 * Math.max((shares[k] / 255 - 1 / answers.count) / (1 - 1 / answers.count), 0) : 1;
    c.fillStyle = shares ? classColor(raw[k]) : `rgb(${shade((raw[k] - 127.5) / 127.5)})`;
    const [x, y] = [k % side, Math.floor(k / side)], edge = i => Math.round(i * size / side);
    c.fillRect(edge(x), edge(y), edge(x + 1) - edge(x), edge(y + 1) - edge(y));
  }
  c.globalAlpha = 1;
  const [left, right, bottom, top] = plane.corners, kinds = [...new Set(plane.targets)].sort((a, b) => a - b);
  plane.points.forEach(([px, py], k) => {
    const t = plane.targets[k];
    c.beginPath(); c.arc((px - left) / (right - left) * size, size - (py - bottom) / (top - bottom) * size, 2.6, 0, 7);
    c.fillStyle = kinds.length > 12 ? `rgb(${shade((t - (kinds[0] + kinds[kinds.length - 1]) / 2) / ((kinds[kinds.length - 1] - kinds[0]) / 2 || 1))})` : classColor(shares ? t : kinds.indexOf(t) ? 0 : 1);
    c.fill(); c.strokeStyle = colors["--paper"]; c.lineWidth = .8; c.stroke();
  });
}
