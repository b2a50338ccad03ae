// Small helps on top of pages that work without them. Everything is delegated, so that swapped parts need no set-up.
const root = document;

function enhance(within) {
  within.querySelectorAll("[data-copy][hidden]").forEach((button) => { button.hidden = false; });
  within.querySelectorAll("[data-needs-script][hidden]").forEach((element) => { element.hidden = false; });
  const summary = within.matches?.("[data-error-summary]") ? within : within.querySelector("[data-error-summary]");
  if (summary) summary.focus();
  markTheme();
}

// Copy buttons
async function copy(button) {
  const from = button.dataset.copyFrom && document.getElementById(button.dataset.copyFrom);
  const text = from ? from.innerText : button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.classList.add("copied");
  say("Copied");
  setTimeout(() => button.classList.remove("copied"), 1600);
}

function say(words) {
  const live = document.getElementById("live");
  if (live) live.textContent = words;
}

// Theme
function markTheme() {
  const choice = document.documentElement.dataset.themeChoice || "system";
  document.querySelectorAll("[data-theme-choice-button]").forEach((button) => {
    button.setAttribute("aria-pressed", String(button.dataset.themeChoiceButton === choice));
  });
}

// A question before a form is sent: <form data-confirm="Delete it?" data-confirm-button="Delete">
function ask(form) {
  const dialog = document.getElementById("confirm");
  dialog.querySelector("[data-confirm-text]").textContent = form.dataset.confirm;
  const button = dialog.querySelector("[value=yes]");
  button.textContent = form.dataset.confirmButton || "Yes, go on";
  dialog.addEventListener("close", () => {
    if (dialog.returnValue !== "yes") return;
    form.dataset.confirmed = "yes";
    form.requestSubmit();
    delete form.dataset.confirmed;
  }, { once: true });
  dialog.returnValue = "";
  dialog.showModal();
}

// Leaving a form with something typed in it: <form data-guard>
let dirty = false;

root.addEventListener("click", (event) => {
  const target = event.target.closest("[data-copy], [data-theme-choice-button], [data-nav-toggle], [data-dismiss], [data-dialog-close]");
  if (!target) {
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
    return;
  }
  if (target.matches("[data-copy]")) copy(target);
  if (target.matches("[data-theme-choice-button]")) { window.chooseTheme(target.dataset.themeChoiceButton); markTheme(); }
  if (target.matches("[data-nav-toggle]")) {
    const open = document.getElementById(target.getAttribute("aria-controls")).classList.toggle("show");
    target.setAttribute("aria-expanded", String(open));
  }
  if (target.matches("[data-dismiss]")) target.closest("[data-notice]").remove();
  if (target.matches("[data-dialog-close]")) target.closest("dialog").close();
});

root.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    menu.open = false;
    menu.querySelector("summary").focus();
  });
});

root.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.confirm && !form.dataset.confirmed) {
    event.preventDefault();
    event.stopImmediatePropagation();
    ask(form);
    return;
  }
  dirty = false;
  const button = event.submitter;
  if (button?.classList.contains("btn-loading")) {  // a second click while the first is on its way
    event.preventDefault();
    return;
  }
  if (button?.dataset.busy && !form.hasAttribute("hx-post")) {
    button.classList.add("btn-loading");
    button.setAttribute("aria-disabled", "true");
    say(button.dataset.busy);
  }
}, true);

root.addEventListener("input", (event) => {
  if (event.target.closest("form[data-guard]")) dirty = true;
});
root.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit-on-change]") && !event.target.form.hasAttribute("hx-get")) event.target.form.requestSubmit();
  const swap = event.target.closest("[data-shows]");
  if (swap) showChosen(event.target);
});
addEventListener("beforeunload", (event) => { if (dirty) event.preventDefault(); });
addEventListener("pageshow", () => {
  document.querySelectorAll(".btn-loading").forEach((button) => {
    button.classList.remove("btn-loading");
    button.removeAttribute("aria-disabled");
  });
});

// Radio buttons that show one of several groups: <input type=radio value=x> and <div data-shown-for="name:x">
function showChosen(input) {
  document.querySelectorAll(`[data-shown-for^="${input.name}:"]`).forEach((group) => {
    group.hidden = group.dataset.shownFor !== `${input.name}:${input.value}`;
  });
}

// Addresses that people copy hold no empty members.
root.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb !== "get") return;
  for (const name of [...event.detail.formData.keys()]) {
    if (event.detail.formData.get(name) === "") event.detail.formData.delete(name);
  }
});

root.addEventListener("htmx:afterSettle", (event) => enhance(event.detail.elt));
root.addEventListener("htmx:sendError", () => say("The portal did not answer. Check your connection."));
root.addEventListener("DOMContentLoaded", () => {
  enhance(document);
  document.querySelectorAll("[data-shows] input:checked").forEach(showChosen);
});
