// Forms that answer while one types: each part of the page names the address that makes it and the form that it is made of.
// Parts come as HTML that the server has escaped; they are parsed without running anything.

const timers = new Map();
const asked = new Map();

/** Ask the studio; a failure comes back as {message, hint}, and null means that the question was withdrawn. */
export async function ask(address, options = {}) {
  try {
    const answer = await fetch(address, { headers: { "x-studio": "part", ...options.headers }, ...options });
    lost(false);
    if (answer.ok) return { html: await answer.text() };
    const text = await answer.text();
    try { return { error: JSON.parse(text) }; } catch { return { error: { message: text || answer.statusText, hint: "" } }; }
  } catch (error) {
    if (error.name === "AbortError") return null;
    lost(true);
    return { error: { message: "The studio does not answer.", hint: "Is it still running?" } };
  }
}

/** Show or hide the message that the server is gone; while it is gone, look for it. */
export function lost(is) {
  const box = document.getElementById("lost");
  if (box.hidden === !is) return;
  box.hidden = !is;
  if (is) {
    const timer = setInterval(async () => {
      try {
        await fetch("alive");
        clearInterval(timer);
        lost(false);
        document.dispatchEvent(new Event("studio-back"));
        document.querySelectorAll("form[data-live]").forEach(form => refresh(form));
      } catch { /* still gone */ }
    }, 2000);
  }
}

/** Put a part of a page in its place. */
export function put(place, html) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  const opened = new Set([...place.querySelectorAll("details[open][id]")].map(each => each.id));
  place.replaceChildren(...parsed.body.childNodes);
  place.querySelectorAll("details[id]").forEach(each => { if (opened.has(each.id)) each.open = true; });
}

/** Show what went wrong. */
export function fail(place, error) {
  const box = document.createElement("div");
  box.className = "error";
  box.setAttribute("role", "alert");
  for (const [css, words] of [["", error.message], ["quiet", error.hint]]) {
    if (!words) continue;
    const line = document.createElement("p");
    line.className = css;
    line.textContent = words;
    box.append(line);
  }
  place.replaceChildren(box);
}

/** Ask for a part anew; an earlier question for it is withdrawn, which ends the work for it. */
export async function renew(place, form) {
  asked.get(place)?.abort();
  const control = new AbortController();
  asked.set(place, control);
  const busy = setTimeout(() => place.setAttribute("aria-busy", "true"), 150);
  const body = new URLSearchParams(new FormData(form));
  const answer = await ask(place.dataset.part, { method: "POST", body, signal: control.signal });
  clearTimeout(busy);
  if (answer === null || asked.get(place) !== control) return;
  place.removeAttribute("aria-busy");
  if (answer.error) fail(place, answer.error); else put(place, answer.html);
  place.dispatchEvent(new CustomEvent("renewed", { bubbles: true }));
}

/** Withdraw the question for a part, which ends the work for it. */
export function withdraw(place) {
  asked.get(place)?.abort();
  asked.delete(place);
  place.removeAttribute("aria-busy");
}

/** Ask for every part that a form makes. */
export function refresh(form) {
  for (const place of document.querySelectorAll(`[data-part][data-form="${form.id}"]`))
    if (!place.closest("[hidden]") && !place.hasAttribute("data-manual")) renew(place, form);
}

/** Fetch the fields of what a select chooses. */
async function options(select) {
  const slot = document.getElementById(select.dataset.slot);
  const answer = await ask(`${select.dataset.options}&name=${encodeURIComponent(select.value)}`);
  if (slot && answer) answer.error ? fail(slot, answer.error) : put(slot, answer.html);
}

function soon(form, delay) {
  clearTimeout(timers.get(form));
  timers.set(form, setTimeout(() => refresh(form), delay));
}

document.addEventListener("input", event => {
  const form = event.target.closest("form[data-live]");
  if (event.target.dataset.class) {
    document.getElementById(event.target.dataset.on).classList.toggle(event.target.dataset.class, event.target.checked);
    return;
  }
  if (event.target.matches("select[data-options]")) options(event.target);
  if (form) soon(form, event.target.matches("textarea, input:not([type=checkbox])") ? 250 : 0);
});

document.addEventListener("change", event => {
  if (event.target.matches("input[data-options]")) options(event.target);
});

document.addEventListener("submit", event => {
  if (!event.target.matches("form[data-live]")) return;
  event.preventDefault();
  refresh(event.target);
});

document.addEventListener("click", async event => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.hide) {
    const place = document.getElementById(button.dataset.hide);
    place.hidden = true;
    place.closest("form")?.querySelector("textarea")?.focus();
  }
  if (button.dataset.showNext) {
    const next = document.querySelector(`.${button.dataset.showNext}[hidden]`);
    if (next) {
      next.hidden = false;
      next.querySelectorAll("select[data-options]").forEach(options);
      next.querySelector("select, input")?.focus();
      const form = next.closest("form[data-live]");
      if (form) refresh(form);
    }
  }
  if (button.dataset.copy) {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    const words = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = words; }, 1200);
  }
});

const MOST = 200000; // characters: what the server takes for one text

/** The field that a file dropped at an element goes to: that field, or the first of the page. */
const dropped = target => target.closest?.("[data-drop]") ?? document.querySelector("[data-drop]");
const unmark = () => document.querySelectorAll(".dropping").forEach(each => each.classList.remove("dropping"));

document.addEventListener("dragover", event => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault(); // or the browser would leave the page for the file
  unmark();
  dropped(event.target)?.classList.add("dropping");
});
document.addEventListener("dragleave", event => { if (!event.relatedTarget) unmark(); });
document.addEventListener("drop", async event => {
  const file = event.dataTransfer?.files[0];
  unmark();
  if (!file) return;
  event.preventDefault();
  const area = dropped(event.target);
  if (!area) return;
  area.value = (await file.slice(0, 4 * MOST).text()).slice(0, MOST);
  area.dispatchEvent(new Event("input", { bubbles: true }));
});

document.querySelectorAll("select[data-options]").forEach(select => { if (!select.closest("[hidden]")) options(select); });
document.querySelectorAll("form[data-live]").forEach(refresh);

// A select whose options hold texts to begin with: each fills the field that it names, unless the user wrote into it.
document.addEventListener("change", event => {
  const select = event.target.closest("select[data-fills]");
  if (!select) return;
  const area = document.getElementById(select.dataset.fills);
  const texts = [...document.querySelectorAll(`select[data-fills="${area.id}"] option[data-fill]`)].map(each => each.dataset.fill);
  const chosen = select.selectedOptions[0]?.dataset.fill;
  if (chosen === undefined || (select.name && !texts.includes(area.value))) return;
  area.value = chosen;
  area.dispatchEvent(new Event("input", { bubbles: true }));
});
