// The page Inside: maps of attention and of gates, drawn on canvases in the colours of the page.

const place = document.getElementById("look");
let chosen = { layer: 0, head: 0 }, at = -1, shown = null;

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const rgb = hex => [1, 3, 5].map(start => parseInt(hex.slice(start, start + 2), 16));

/** Paint rows of thousandths: a square a value, from the paper to a colour; the root makes small shares visible. */
function paint(canvas, rows, size, name = "--s0", power = .6) {
  const [from, to] = [rgb(colour("--field")), rgb(colour(name))];
  canvas.width = rows[0].length;
  canvas.height = rows.length;
  canvas.style.width = `${Math.max(1, rows[0].length * size)}px`;
  canvas.style.height = `${Math.max(1, rows.length * size)}px`;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  rows.flat().forEach((value, number) => {
    const share = (Math.max(0, value) / 1000) ** power;
    from.forEach((part, index) => { image.data[4 * number + index] = part + (to[index] - part) * share; });
    image.data[4 * number + 3] = 255;
  });
  context.putImageData(image, 0, 0);
}

function draw() {
  const holder = document.getElementById("maps");
  if (!holder) return;
  shown = JSON.parse(holder.dataset.maps);
  shown.layers = Object.entries(shown.maps);
  const heads = document.getElementById("heads");
  if (heads && shown.layers.length) {
    chosen.layer = Math.min(chosen.layer, shown.layers.length - 1);
    chosen.head = Math.min(chosen.head, shown.layers[0][1].length - 1);
    heads.replaceChildren();
    shown.layers.forEach(([name, maps], layer) => {
      const row = document.createElement("div");
      row.className = "heads-row";
      row.append(Object.assign(document.createElement("span"), { className: "quiet", textContent: name }));
      maps.forEach((rows, head) => {
        const button = Object.assign(document.createElement("button"), { type: "button", className: "head-map" });
        button.setAttribute("aria-label", `${name}, head ${head + 1}`);
        const canvas = document.createElement("canvas");
        paint(canvas, rows, Math.max(1, 64 / rows.length));
        button.append(canvas);
        button.addEventListener("click", () => { chosen = { layer, head }; show(); });
        row.append(button);
      });
      heads.append(row);
    });
    if (at < 0 || at >= shown.tokens.length) at = shown.tokens.length - 1;
    show();
  }
  const gates = document.getElementById("gates");
  if (gates) {
    gates.replaceChildren(...Object.entries(shown.gates).map(([name, rows]) => {
      const figure = document.createElement("figure");
      const open = rows.flat().reduce((sum, value) => sum + value, 0) / rows.flat().length / 10;
      const words = `${name}: ${open.toFixed(0)}% open on average`;
      figure.append(Object.assign(document.createElement("figcaption"), { className: "quiet", textContent: words }));
      const canvas = document.createElement("canvas");
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", words);
      paint(canvas, rows, 1, "--s2", 1);
      canvas.style.width = "100%";
      canvas.style.height = "150px";
      figure.append(canvas);
      return figure;
    }));
  }
}

/** Show the chosen head, and what the chosen position looks at. */
function show() {
  const [name, maps] = shown.layers[chosen.layer];
  const rows = maps[chosen.head];
  const buttons = [...document.querySelectorAll(".head-map")];
  buttons.forEach((button, number) =>
    button.setAttribute("aria-pressed", String(number === chosen.layer * maps.length + chosen.head)));
  paint(document.getElementById("map"), rows, Math.max(4, Math.min(22, 340 / rows.length)));
  const [from, to] = [rgb(colour("--field")), rgb(colour("--t-look"))];
  document.querySelectorAll("#looked .token").forEach((token, number) => {
    const share = ((rows[at][number] ?? 0) / 1000) ** .6;
    token.style.setProperty("--k", `rgb(${from.map((part, index) => Math.round(part + (to[index] - part) * share)).join(" ")})`);
    token.classList.toggle("chosen", number === at);
    token.setAttribute("aria-selected", String(number === at));
  });
  const best = rows[at].map((value, number) => [value, number]).sort((a, b) => b[0] - a[0]).slice(0, 3).filter(pair => pair[0] > 0);
  document.getElementById("looks").textContent = `${name}, head ${chosen.head + 1}: “${shown.tokens[at]}” looks at ` +
    best.map(([value, number]) => `“${shown.tokens[number]}” (${(value / 10).toFixed(0)}%)`).join(", ");
}

if (place) {
  place.addEventListener("renewed", draw);
  const choose = number => { at = Math.max(0, Math.min(shown.tokens.length - 1, number)); show(); };
  for (const kind of ["click", "mouseover"])
    place.addEventListener(kind, event => {
      const token = event.target.closest("#looked .token");
      if (token) choose(Number(token.dataset.at));
    });
  place.addEventListener("keydown", event => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -1e6, End: 1e6 }[event.key];
    if (step && event.target.id === "looked") { event.preventDefault(); choose(at + step); }
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
