// Live logs follow their newest line, unless somebody has scrolled up to read. By name, since a swap replaces them.
const left = new Set();

function follow() {
  for (const log of document.querySelectorAll("[data-follow]")) {
    if (!left.has(log.dataset.follow)) log.scrollTop = log.scrollHeight;
  }
}

document.addEventListener("scroll", (event) => {
  if (event.target.matches?.("[data-follow]")) {
    const { scrollHeight, scrollTop, clientHeight, dataset } = event.target;
    left[scrollHeight - scrollTop - clientHeight < 40 ? "delete" : "add"](dataset.follow);
  }
}, true);
document.addEventListener("htmx:afterSettle", follow);
document.addEventListener("DOMContentLoaded", follow);

// A swap can take away what had the focus. Put it where the person was: the field that was checked, the row that was
// added, the button beside the row that was removed.
function place(request) {
  const source = request?.elt;
  if (!source || document.activeElement !== document.body) return null;
  if (source.id.endsWith("-field")) return document.getElementById(source.id.slice(0, -"-field".length));
  if (source.name === "_restore") return document.querySelector(`[name="${CSS.escape(source.value)}"]:not([type=hidden])`);
  if (source.name === "_remove") {
    const list = source.value.slice(0, source.value.lastIndexOf("/"));
    return document.querySelector(`button[name=_add][value="${CSS.escape(list)}"]`);
  }
  if (source.name !== "_add") return null;
  const inputs = [...document.querySelectorAll(`#spec-form [name^="${CSS.escape(source.value)}/"]`)];
  const row = (input) => Number(input.name.slice(source.value.length + 1).split("/")[0]);
  const last = Math.max(...inputs.map(row));
  return inputs.find((input) => row(input) === last && input.type !== "hidden") ?? null;
}

document.addEventListener("htmx:afterSettle", (event) => place(event.detail.requestConfig)?.focus());

// Pressing a button takes the focus from a field, whose check may swap in a message and move the button away before it
// is let go: then the press would do nothing. So the check waits until then, and is not asked when the form is sent.
let pressed = false;
const waiting = [];

function letGo() {
  pressed = false;
  setTimeout(() => {
    for (const ask of waiting.splice(0)) if (!document.querySelector(".btn-loading")) ask();
  });
}

document.addEventListener("pointerdown", () => { pressed = true; }, true);
document.addEventListener("pointerup", letGo, true);
document.addEventListener("pointercancel", letGo, true);
document.addEventListener("htmx:confirm", (event) => {
  if (!pressed || !event.detail.elt.id.endsWith("-field")) return;
  event.preventDefault();
  waiting.push(() => event.detail.issueRequest(true));
});
