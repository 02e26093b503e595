// The page Training: which runs are chosen, and the stream of what they write; it goes on by itself after a pause.

import { ask, fail, lost, put, renew } from "./live.js";

const section = document.getElementById("chosen");
const form = document.getElementById("runs");
let source = null;

const chosen = () => form.elements.chosen.value.split("/").filter(Boolean);

function address() {
  const asked = new URLSearchParams(chosen().map(name => ["runs", name]));
  asked.set("measure", section.querySelector("input[name=measure]:checked").value);
  asked.set("over", section.querySelector("select[name=over]").value);
  return asked;
}

const newest = new Map();

/** Put a part in its place; not while a button there is pressed, which would never be clicked. */
function show(place, html) {
  newest.set(place, html);
  if (place.querySelector(":active")) {
    setTimeout(() => { if (newest.get(place) === html) show(place, html); }, 100);
    return;
  }
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  const name = focused?.dataset.stop ?? focused?.dataset.resume, href = focused?.getAttribute("href"), open = focused?.closest("details")?.id;
  put(place, html);
  if (!focused) return;
  const again = name ? `[data-stop="${CSS.escape(name)}"], [data-resume="${CSS.escape(name)}"]`
    : href ? `a[href="${CSS.escape(href)}"]` : open ? `#${CSS.escape(open)} > summary` : null;
  if (again) place.querySelector(again)?.focus();
}

function follow() {
  source?.close();
  source = new EventSource(`training-stream?${address()}`);
  for (const name of ["chart", "cards", "samples"])
    source.addEventListener(name, event => {
      lost(false);
      show(document.getElementById(name), JSON.parse(event.data).html);
    });
  source.addEventListener("failed", event => { source.close(); fail(document.getElementById("chart"), JSON.parse(event.data)); });
  source.addEventListener("error", () => lost(true));
  source.addEventListener("open", () => lost(false));
}

if (form) {
  document.getElementById("list").addEventListener("change", event => {
    if (event.target.name !== "run") return;
    event.stopPropagation();
    const rest = chosen().filter(name => name !== event.target.value);
    form.elements.chosen.value = (event.target.checked ? [...rest, event.target.value].slice(-12) : rest).join("/");
    event.target.closest(".run").classList.toggle("checked", event.target.checked);
    const shown = new URL(location.href);
    shown.searchParams.delete("runs");
    chosen().forEach(name => shown.searchParams.append("runs", name));
    history.replaceState(null, "", shown);
    follow();
  });
  document.getElementById("list").addEventListener("input", event => { if (event.target.name === "run") event.stopPropagation(); });
  section.addEventListener("change", event => { if (event.target.matches("[name=measure], [name=over]")) follow(); });
  document.addEventListener("studio-back", follow);
  document.addEventListener("click", async event => {
    const button = event.target.closest("[data-stop], [data-resume], [data-more]");
    if (!button) return;
    button.disabled = true;
    if ("more" in button.dataset) {
      form.elements.rows.value = Number(form.elements.rows.value) + 200;
      renew(document.getElementById("list"), form);
      return;
    }
    const what = button.dataset.stop !== undefined ? "run-stop" : "run-resume";
    const answer = await ask(what, { method: "POST", body: new URLSearchParams({ name: button.dataset.stop ?? button.dataset.resume }) });
    if (answer?.error) { button.disabled = false; button.insertAdjacentElement("afterend", note(answer.error.message)); }
    else button.textContent = what === "run-stop" ? "Saving …" : "Resuming …";
  });
  // The list is renewed while the page is looked at; what has not changed comes from the server's memory.
  setInterval(() => { if (!document.hidden && !form.contains(document.activeElement)) renew(document.getElementById("list"), form); }, 5000);
  addEventListener("pagehide", () => source?.close());
  follow();
}

function note(words) {
  const made = document.createElement("span");
  made.className = "quiet";
  made.setAttribute("role", "alert");
  made.textContent = ` ${words}`;
  return made;
}
