// The page that starts a run: the plan first, then the run, which is shown as soon as it is there.

import { ask, fail, renew } from "./live.js";

const form = document.getElementById("start");
const planned = document.getElementById("planned");
const said = document.getElementById("said");

document.getElementById("plan").addEventListener("click", async event => {
  event.target.disabled = true;
  said.textContent = "Reading the text and measuring a few steps …";
  await renew(planned, form);
  said.textContent = "";
  event.target.disabled = false;
});

form.addEventListener("submit", async event => {
  event.preventDefault();
  event.stopPropagation();
  const go = document.getElementById("go");
  go.disabled = true;
  said.textContent = "Starting …";
  const answer = await ask("start-run", { method: "POST", body: new URLSearchParams(new FormData(form)) });
  if (answer?.error) { fail(planned, answer.error); said.textContent = ""; go.disabled = false; return; }
  const { name, address } = JSON.parse(answer.html);
  for (;;) {
    await new Promise(resolve => setTimeout(resolve, 700));
    const found = await ask(`started?name=${encodeURIComponent(name)}`);
    if (found?.error) { fail(planned, found.error); break; }
    const { there, running, words } = JSON.parse(found.html);
    if (there) { location.assign(address); return; }
    said.textContent = words.trim().split("\n").at(-1) || "Starting …";
    if (!running) { fail(planned, { message: "The run did not start.", hint: words }); break; }
  }
  said.textContent = "";
  go.disabled = false;
}, true);
