// Runs in the head, before the first paint: the theme of the system, or the one this person chose.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try { return localStorage.getItem("theme") || "system"; } catch { return "system"; }
  };
  const apply = () => {
    const theme = chosen();
    const dark = theme === "dark" || (theme === "system" && system.matches);
    document.documentElement.dataset.bsTheme = dark ? "dark" : "light";
    document.documentElement.dataset.themeChoice = theme;
    document.dispatchEvent(new CustomEvent("theme:changed"));
  };
  window.chooseTheme = (theme) => {
    try { localStorage.setItem("theme", theme); } catch { /* private windows forget it */ }
    apply();
  };
  system.addEventListener("change", apply);
  apply();
})();
