// The page Generation: two writers, each with a text of tokens that can be taken back to any place and led another way.

import { fail, lost } from "./live.js";
import { stream } from "./stream.js";

const SVG = "http://www.w3.org/2000/svg";
const form = document.getElementById("generation");

/** The class of a probability: six steps, told apart by hue and by lightness. */
const shade = p => p == null ? "" : `p${[.005, .03, .1, .4, .8].filter(edge => p >= edge).length}`;
const percent = p => p == null ? "–" : p >= .9995 ? "100%" : p >= .01 ? `${(100 * p).toFixed(1)}%` : p >= 1e-4 ? `${(100 * p).toFixed(2)}%` : "<0.01%";

function make(name, css = "", words = "") {
  const made = document.createElement(name);
  if (css) made.className = css;
  if (words) made.textContent = words;
  return made;
}

/** Put the parts of a piece into an element, as the server's pages show them. */
function spell(place, parts) {
  for (const [words, css] of parts) {
    if (!css) { place.append(words); continue; }
    const part = make("span", css === "space" ? "ws" : css === "tab" ? "ws tab" : css === "line" ? "ws line" : css, css === "line" ? "⏎" : words);
    place.append(part);
  }
  return place;
}

class Writer {
  constructor(section) {
    this.section = section;
    this.column = section.dataset.column;
    this.text = section.querySelector(".text");
    this.state = section.querySelector(".state");
    this.choices = section.querySelector(".choices");
    this.along = section.querySelector(".along");
    this.figures = section.querySelector("dl.figures");
    this.trace = section.querySelector("a.trace");
    this.trace.addEventListener("click", () => {
      sessionStorage.setItem("trace-text", this.tokens.map(token => token.text).join(""));
      this.trace.href = `trace?run=${encodeURIComponent(form.elements[`run-${this.column}`].value)}`;
    });
    this.tokens = [];
    this.prompt = [];
    this.at = -1;
    this.text.addEventListener("click", event => {
      const token = event.target.closest("[data-at]");
      if (token) this.show(Number(token.dataset.at));
    });
    this.text.addEventListener("keydown", event => this.keys(event));
  }

  get running() { return Boolean(this.control); }

  keys(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -1e9, End: 1e9 }[event.key];
    if (step !== undefined && this.tokens.length) {
      event.preventDefault();
      this.mark(Math.max(0, Math.min(this.tokens.length - 1, this.at + step)));
    }
    if (event.key === "Enter" && this.at >= 0) { event.preventDefault(); this.show(this.at, true); }
    if (event.key === "Escape") this.hide();
  }

  mark(at) {
    this.at = at;
    this.text.querySelector(".chosen")?.classList.remove("chosen");
    this.bars?.querySelector(".chosen")?.classList.remove("chosen");
    const token = this.text.querySelector(`[data-at="${at}"]`);
    token?.classList.add("chosen");
    this.bars?.querySelector(`g[data-at="${at}"]`)?.classList.add("chosen");
    token?.scrollIntoView({ block: "nearest" });
    if (token) this.state.textContent = this.words(this.tokens[at]);
  }

  words(token) {
    const facts = [`“${token.parts.map(part => part[0]).join("")}”, id ${token.id}: probability ${percent(token.p)}`];
    if (token.entropy != null) facts.push(`entropy ${token.entropy.toFixed(2)} bits`);
    if (token.kept != null) facts.push(`the sampler drew from ${token.choices.toLocaleString("en")} tokens that hold ${percent(token.kept)}`);
    if (token.taken) facts.push("taken by you");
    return facts.join("; ");
  }

  hide() { this.choices.hidden = true; this.text.focus(); }

  /** Show what might have come in the place of a token. */
  show(at, focus = false) {
    this.mark(at);
    const token = this.tokens[at];
    const table = make("table", "others");
    const head = table.createTHead().insertRow();
    for (const words of ["in its place", "id", "model", "after the sampler", ""]) {
      const cell = make("th", "", words);
      cell.scope = "col";
      head.append(cell);
    }
    const body = table.createTBody();
    for (const other of token.others ?? []) {
      const row = body.insertRow();
      row.className = other.id === token.id ? "own" : "";
      row.insertCell().append(spell(make("span", `token ${shade(other.p)}`), other.parts));
      row.insertCell().textContent = other.id;
      for (const [value, css] of [[other.p, ""], [other.q, "after"]]) {
        const cell = row.insertCell();
        const bar = make("span", `share ${css}`);
        bar.style.setProperty("--share", value ?? 0);
        cell.append(bar, make("span", "number", value === 0 ? "cut away" : percent(value)));
      }
      const cell = row.insertCell();
      if (other.id === token.id) cell.append(make("span", "quiet", "drawn"));
      else {
        const button = make("button", "", "Take");
        button.type = "button";
        button.setAttribute("aria-label", `Take ${other.parts.map(part => part[0]).join("")} and go on`);
        button.addEventListener("click", () => this.take(at, other));
        cell.append(button);
      }
    }
    const close = make("button", "plain", "✕");
    close.type = "button";
    close.setAttribute("aria-label", "Close");
    close.addEventListener("click", () => this.hide());
    const title = make("div", "title");
    const words = make("strong", "", `Token ${at + 1}: `);
    title.append(spell(words, token.parts), close);
    this.choices.replaceChildren(title, table);
    this.choices.hidden = false;
    if (focus) this.choices.querySelector("button:not(.plain)")?.focus();
  }

  /** Go on from another token. */
  take(at, other) {
    this.stop();
    const before = this.tokens.slice(0, at);
    const old = this.tokens[at];
    const taken = { ...old, id: other.id, parts: other.parts, text: other.parts.map(part => part[0]).join(""), p: other.p, ended: "", taken: true };
    this.choices.hidden = true;
    this.write([...before, taken]);
  }

  stop() { this.control?.abort(); this.control = null; controls(); }

  /** Write; what is kept stands already. */
  async write(kept = []) {
    this.control?.abort();
    const control = this.control = new AbortController();
    controls();
    this.tokens = kept;
    this.choices.hidden = true;
    this.at = -1;
    this.state.textContent = "Opening the model …";
    this.text.setAttribute("aria-busy", "true");
    const body = new URLSearchParams(new FormData(form));
    body.set("column", this.column);
    body.set("kept", kept.map(token => token.id).join(","));
    const began = performance.now();
    let first = 0;
    await stream("generation-stream", body, control.signal, (name, data) => {
      if (this.control !== control && name !== "cancelled") return;
      if (name === "start") {
        this.prompt = data.prompt;
        this.draw();
        this.state.textContent = `${data.model}, step ${data.step.toLocaleString("en")}: writing …`;
        first = performance.now();
      }
      if (name === "token") {
        this.tokens.push(data);
        this.add(data, this.tokens.length - 1);
      }
      if (name === "done") {
        const rate = data.tokens / Math.max(data.seconds, 1e-3);
        this.state.textContent = `${data.tokens.toLocaleString("en")} tokens in ${data.seconds.toFixed(1)} s, ${rate.toFixed(0)} a second.`;
        this.summary();
        this.chart();
      }
      if (name === "cancelled") { this.state.textContent = `Stopped after ${this.tokens.length} tokens.`; this.summary(); this.chart(); }
      if (name === "failed") { this.state.textContent = ""; fail(this.choices, data); this.choices.hidden = false; }
    });
    if (this.control === control) this.control = null;
    this.text.removeAttribute("aria-busy");
    this.section.dataset.wall = String(Math.round(performance.now() - (first || began)));
    controls();
  }

  draw() {
    this.text.replaceChildren();
    for (const piece of this.prompt) {
      const span = spell(make("span", `token of-prompt ${shade(piece.p)}`), piece.parts);
      span.title = piece.p == null ? "prompt" : `prompt; the model gave it ${percent(piece.p)}`;
      this.text.append(span);
    }
    this.tokens.forEach((token, at) => this.add(token, at));
    this.chart();
  }

  add(token, at) {
    const span = make("span", `token ${shade(token.p)}${token.taken ? " taken" : ""}`);
    spell(span, token.parts);
    span.dataset.at = at;
    span.title = `${percent(token.p)}${token.ended === "stop" ? "; ends the text" : ""}`;
    this.text.append(span);
    if (token.parts.at(-1)?.[1] === "line") this.text.append(make("br"));
    this.text.scrollTop = this.text.scrollHeight;
    if (at % 8 === 0) this.chart();
  }

  summary() {
    const known = this.tokens.filter(token => token.p);
    const mean = (list, read) => list.length ? list.reduce((sum, one) => sum + read(one), 0) / list.length : null;
    const shown = [
      ["tokens", this.tokens.length.toLocaleString("en")],
      ["bits per token", mean(known, token => -Math.log2(token.p))?.toFixed(2)],
      ["mean entropy", mean(this.tokens.filter(token => token.entropy != null), token => token.entropy)?.toFixed(2)],
      ["cut away", percent(mean(this.tokens.filter(token => token.kept != null), token => 1 - token.kept))],
    ];
    this.figures.replaceChildren(...shown.filter(pair => pair[1]).map(([name, value]) => {
      const box = make("div");
      box.append(make("dt", "", name), make("dd", "", value));
      return box;
    }));
    this.figures.hidden = this.trace.hidden = !this.tokens.length;
  }

  /** Entropy above the line, what the sampler cut away below it: a column a token. */
  chart() {
    const known = this.tokens.some(token => token.entropy != null);
    this.along.hidden = !known;
    if (!known) return;
    const box = this.along.querySelector(".scroll");
    const step = Math.max(4, Math.min(14, (box.clientWidth - 62) / this.tokens.length));
    const [up, down] = [74, 40];
    const most = Math.max(4, ...this.tokens.map(token => token.entropy ?? 0));
    const svg = document.createElementNS(SVG, "svg");
    const width = this.tokens.length * step + 46;
    for (const [key, value] of Object.entries({ class: "chart", width, height: up + down + 8, viewBox: `0 0 ${width} ${up + down + 8}` })) svg.setAttribute(key, value);
    const draw = (parent, name, attributes, words) => {
      const made = document.createElementNS(SVG, name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      if (words !== undefined) made.textContent = words;
      parent.append(made);
      return made;
    };
    for (const [value, y] of [[most.toFixed(0), 4], ["0", up]]) draw(svg, "text", { x: 34, y: y + 6, class: "tick", "text-anchor": "end" }, value);
    draw(svg, "text", { x: 34, y: up + down + 5, class: "tick", "text-anchor": "end" }, "100%");
    draw(svg, "line", { x1: 38, y1: up, x2: width, y2: up, class: "base" });
    this.tokens.forEach((token, at) => {
      const group = draw(svg, "g", { "data-at": at });
      draw(group, "title", {}, this.words(token));
      const x = 40 + at * step, tall = up * (token.entropy ?? 0) / most, cut = down * (1 - (token.kept ?? 1));
      draw(group, "rect", { x, y: 0, width: step, height: up + down, class: "touch" });
      draw(group, "rect", { x, y: up - tall, width: Math.max(step - 2, 2), height: tall, class: "fill s0" });
      draw(group, "rect", { x, y: up + 1, width: Math.max(step - 2, 2), height: cut, class: "fill s1" });
    });
    svg.addEventListener("click", event => {
      const group = event.target.closest("g[data-at]");
      if (group) this.show(Number(group.dataset.at));
    });
    const mean = this.tokens.reduce((sum, token) => sum + (token.entropy ?? 0), 0) / this.tokens.length;
    box.setAttribute("aria-label", `Entropy of ${this.tokens.length} tokens, ${mean.toFixed(2)} bits on average, at most ${most.toFixed(1)}`);
    box.replaceChildren(svg);
    this.bars = svg;
  }
}

const writers = [...document.querySelectorAll(".writer")].map(section => new Writer(section));

function controls() {
  const any = writers.some(writer => writer.running);
  document.getElementById("stop").disabled = !any;
  document.getElementById("write").textContent = any ? "Write anew" : "Write";
}

if (form) {
  const start = () => writers.filter(writer => !writer.section.hidden).forEach(writer => writer.write());
  form.addEventListener("submit", event => { event.preventDefault(); start(); });
  document.getElementById("stop").addEventListener("click", () => writers.forEach(writer => writer.stop()));
  document.getElementById("another").addEventListener("click", () => {
    form.elements.seed.value = Math.floor(Math.random() * 1e6);
    start();
  });
  document.getElementById("second").addEventListener("change", event => {
    const second = writers[1].section;
    second.hidden = !event.target.checked;
    if (!event.target.checked) writers[1].stop();
  });
  form.addEventListener("keydown", event => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); start(); }
  });
  document.addEventListener("studio-back", () => lost(false));
}
