// The page Chat: the conversation is kept here alone, and goes to the studio with each message.

import { ask, fail, put } from "./live.js";
import { stream } from "./stream.js";

const form = document.getElementById("chat");
const [said, question, state, failure, about] = ["said", "question", "state", "failure", "about"].map(id => document.getElementById(id));
const exchanges = [];
let control = null;

function make(name, css = "", words = "") {
  const made = document.createElement(name);
  if (css) made.className = css;
  if (words) made.textContent = words;
  return made;
}

/** Show a message and room for its answer. */
function show(words) {
  const box = make("div", "exchange");
  const asked = make("div", "turn asked", words), answered = make("div", "turn answered");
  for (const turn of [asked, answered]) turn.dir = "auto";
  box.append(make("span", "hidden", "You:"), asked, make("span", "hidden", "The model:"), answered, make("p", "quiet end"));
  said.append(box);
  return box;
}

function controls() {
  document.getElementById("stop").disabled = !control;
  document.getElementById("send").disabled = Boolean(control);
  for (const id of ["save", "undo", "reset"]) document.getElementById(id).disabled = Boolean(control) || !exchanges.length;
}

/** Mark what the model can no longer see. */
function mark(leftOut) {
  exchanges.forEach((exchange, at) => exchange.box.classList.toggle("unseen", at < leftOut));
}

/** The exchanges as the studio reads them; ids are those of a run's own vocabulary, so another run gets the text alone. */
function history() {
  const run = form.elements.run.value;
  return JSON.stringify(exchanges.map(one => ({ question: one.question, answer: one.answer, ids: one.run === run ? one.ids : null })));
}

async function send() {
  const words = question.value;
  if (control || !words.trim()) return;
  const body = new URLSearchParams(new FormData(form));
  body.set("history", history());
  const mine = control = new AbortController();
  const box = show(words);
  const answered = box.querySelector(".answered"), end = box.querySelector(".end");
  const exchange = { question: words, answer: "", ids: [], run: form.elements.run.value, box };
  question.value = "";
  failure.hidden = true;
  state.textContent = "Opening the model …";
  said.setAttribute("aria-busy", "true");
  controls();
  let failed = false;
  await stream("chat-stream", body, mine.signal, (name, data) => {
    if (name === "start") {
      mark(data.left_out);
      state.textContent = `Reading ${data.n_prompt.toLocaleString("en")} ${data.n_prompt === 1 ? "token" : "tokens"}${data.context ? ` of ${data.context.toLocaleString("en")}` : ""} …`;
      if (data.left_out) state.textContent += ` The context is full: the faded beginning can no longer be seen.`;
    }
    if (name === "token") {
      const below = said.scrollHeight - said.scrollTop - said.clientHeight < 60;
      if (data.id !== null) exchange.ids.push(data.id);
      exchange.answer += data.text;
      answered.append(data.shown);
      if (below) said.scrollTop = said.scrollHeight;
    }
    if (name === "done") {
      if (data.ended === "length") end.textContent = `Ended by the maximum of ${data.tokens.toLocaleString("en")} tokens.`;
      const rate = data.tokens / Math.max(data.seconds, 1e-3);
      const full = exchanges.some(one => one.box.classList.contains("unseen"));
      state.textContent = `${data.tokens.toLocaleString("en")} tokens in ${data.seconds.toFixed(1)} s, ${rate.toFixed(0)} a second.`
        + (full ? " The context is full: the faded beginning can no longer be seen." : "");
    }
    if (name === "cancelled") { end.textContent = "Stopped."; state.textContent = ""; }
    if (name === "failed") { failed = true; state.textContent = ""; fail(failure, data); failure.hidden = false; }
  });
  if (failed) { box.remove(); question.value ||= words; } else exchanges.push(exchange);
  if (!failed && !exchange.answer) answered.append(make("span", "quiet", "(nothing)"));
  control = null;
  said.removeAttribute("aria-busy");
  controls();
  question.focus();
}

function undo() {
  const last = exchanges.pop();
  if (!last) return;
  last.box.remove();
  mark(0);
  question.value = last.question;
  state.textContent = "";
  controls();
  question.focus();
}

/** Hand over the conversation as a line of a file that `--data` reads, as /save of `engine chat` writes it. */
function save() {
  const system = form.elements.system.value;
  const messages = exchanges.flatMap(one => [{ role: "user", content: one.question }, { role: "assistant", content: one.answer }]);
  if (system) messages.unshift({ role: "system", content: system });
  const link = make("a");
  link.download = "conversation.jsonl";
  link.href = URL.createObjectURL(new Blob([`${JSON.stringify({ messages })}\n`], { type: "application/jsonl" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function reset() {
  exchanges.splice(0).forEach(one => one.box.remove());
  state.textContent = "";
  controls();
  question.focus();
}

/** Say whether the chosen run has learned conversations. */
async function tell() {
  const run = form.elements.run.value;
  about.replaceChildren(make("p", "quiet", "Opening the model …"));
  const answer = await ask("chat-about", { method: "POST", body: new URLSearchParams({ run }) });
  if (!answer || form.elements.run.value !== run) return;
  if (answer.error) fail(about, answer.error); else put(about, answer.html);
}

if (form) {
  form.addEventListener("submit", event => { event.preventDefault(); send(); });
  question.addEventListener("keydown", event => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
  });
  document.getElementById("stop").addEventListener("click", () => control?.abort());
  document.getElementById("undo").addEventListener("click", undo);
  document.getElementById("save").addEventListener("click", save);
  document.getElementById("reset").addEventListener("click", reset);
  form.elements.run.addEventListener("change", tell);
  tell();
}
