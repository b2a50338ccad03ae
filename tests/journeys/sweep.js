// What keeps people out, as a list of sentences: controls without a label, buttons and links without a name, ids twice,
// references to nothing, pictures without words, headings that skip a level.
() => {
  const found = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const shown = (element) => element.checkVisibility({ visibilityProperty: true });
  const say = (what, element) => found.push(`${what}: ${element.outerHTML.slice(0, 120)}`);
  const named = (element) =>
    [element.getAttribute("aria-label"), element.innerText, element.title, ...[...element.querySelectorAll("img, svg")].map((one) => one.alt || one.getAttribute("aria-label"))]
      .some((text) => text && text.trim()) || all((element.getAttribute("aria-labelledby") || "none-such").split(" ").map((id) => `#${CSS.escape(id)}`).join()).length > 0;

  for (const control of all("input:not([type=hidden]), select, textarea")) {
    const labelled = [...(control.labels || [])].some((label) => label.innerText.trim() || label.textContent.trim());
    if (!labelled && !named(control)) say("no label", control);
  }
  for (const element of all("button, a[href], summary, [role=link]")) if (shown(element) && !named(element)) say("no name", element);
  for (const picture of all("img:not([alt])")) say("no alt", picture);
  const ids = new Map();
  for (const element of all("[id]")) ids.set(element.id, (ids.get(element.id) || 0) + 1);
  for (const [id, count] of ids) if (count > 1) found.push(`id ${id} stands ${count} times`);
  for (const attribute of ["aria-describedby", "aria-labelledby", "aria-controls", "for", "list"]) {
    for (const element of all(`[${attribute}]`)) {
      for (const id of element.getAttribute(attribute).split(" ")) if (!ids.has(id)) say(`${attribute} names nothing`, element);
    }
  }
  for (const link of all('a[href^="#"]')) if (!ids.has(decodeURIComponent(link.hash.slice(1)))) say("leads nowhere", link);
  const levels = all("h1, h2, h3, h4, h5, h6").filter(shown).map((one) => Number(one.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) found.push(`${levels.filter((level) => level === 1).length} main headings`);
  levels.forEach((level, index) => {
    if (index && level > levels[index - 1] + 1) found.push(`heading ${level} follows heading ${levels[index - 1]}`);
  });
  for (const table of all("table")) if (!table.querySelector("th") && !table.closest(".diff-box")) say("no head", table);
  if (!document.documentElement.lang) found.push("no language");
  if (!document.querySelector("main")) found.push("no main part");
  return found;
}
