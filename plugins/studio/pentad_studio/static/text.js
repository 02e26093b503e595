// The page Text: buttons of a part say where to go on, and the held-out text is scored while one waits.

import { fail, put, refresh, renew, withdraw } from "./live.js";
import { stream } from "./stream.js";

const form = document.getElementById("text");
const [score, stop, progress, state, scores] = ["score", "stop", "progress", "state", "scores"].map(id => document.getElementById(id));
const [compare, halt, comparing, duplicates] = ["compare", "halt", "comparing", "duplicates"].map(id => document.getElementById(id));
let control = null;

/** What is shown begins anew where another text is chosen or something else is looked for. */
function anew(event) {
  if (!event.target.matches("[data-anew]")) return;
  for (const name of ["first", "document", "at"]) form.elements[name].value = "";
  if (event.target.name === "run") {
    control?.abort();
    withdraw(duplicates);
    for (const place of [scores, state, duplicates]) place.replaceChildren();
  }
}

function go(event) {
  const button = event.target.closest("button[data-go]");
  if (!button) return;
  for (const name of ["first", "document", "at"])
    if (button.dataset[name] !== undefined) form.elements[name].value = button.dataset[name];
  refresh(form);
  form.scrollIntoView({ block: "nearest" });
}

async function start() {
  control?.abort();
  const mine = control = new AbortController();
  stop.disabled = false;
  progress.hidden = false;
  progress.value = 0;
  state.textContent = "Opening the model …";
  await stream("text-scores", new URLSearchParams({ run: form.elements.run.value }), mine.signal, (name, data) => {
    if (control !== mine) return;
    if (name === "progress") { progress.value = data.done; state.textContent = `${data.what} …`; }
    if (name === "done") { put(scores, data.html); state.textContent = ""; }
    if (name === "cancelled") state.textContent = "Stopped.";
    if (name === "failed") { state.textContent = ""; fail(scores, data); }
  });
  if (control !== mine) return;
  control = null;
  stop.disabled = progress.hidden = true;
}

async function search() {
  [compare.disabled, halt.disabled] = [true, false];
  comparing.textContent = "Comparing, for some seconds for each 20 MB of text …";
  await renew(duplicates, form);
  [compare.disabled, halt.disabled] = [false, true];
  comparing.textContent = "";
}

if (form) {
  form.addEventListener("input", anew);
  form.addEventListener("click", go);
  score.addEventListener("click", start);
  stop.addEventListener("click", () => control?.abort());
  compare.addEventListener("click", search);
  halt.addEventListener("click", () => withdraw(duplicates));
}
