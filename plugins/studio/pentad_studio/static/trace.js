// What another page wants traced comes with it in this tab's memory, and in no address.

import { refresh } from "./live.js";

const form = document.getElementById("trace");
const brought = sessionStorage.getItem("trace-text");
if (form && brought !== null) {
  sessionStorage.removeItem("trace-text");
  form.elements.text.value = brought;
  refresh(form);
}
