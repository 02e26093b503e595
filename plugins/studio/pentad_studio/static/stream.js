// Server-sent events of an answer to a form: EventSource asks by address alone, and a prompt is too long for one.

import { lost } from "./live.js";

/** Ask, and call `told(name, data)` for every event; the signal cancels, which ends the work on the server too. */
export async function stream(address, body, signal, told) {
  let answer;
  try {
    answer = await fetch(address, { method: "POST", body, signal, headers: { "x-studio": "part" } });
    lost(false);
    if (!answer.ok) {
      const text = await answer.text();
      try { told("failed", JSON.parse(text)); } catch { told("failed", { message: text, hint: "" }); }
      return;
    }
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += value;
      const events = rest.split("\n\n");
      rest = events.pop();
      for (const event of events) {
        const [, name, data] = /^event: (.*)\ndata: (.*)$/s.exec(event) ?? [];
        if (name) told(name, JSON.parse(data));
      }
    }
  } catch (error) {
    if (error.name === "AbortError") { told("cancelled", {}); return; }
    lost(true);
    told("failed", { message: "The studio does not answer.", hint: "Is it still running?" });
  }
}
