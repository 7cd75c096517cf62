// Loaded before the page is drawn, so that it never flashes in the other theme.
"use strict";
{
  const root = document.documentElement;
  try {
    const chosen = localStorage.getItem("tunegate-theme");
    if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  } catch { /* storage is switched off: the system's choice holds */ }
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const show = () => {
      button.textContent = isDark() ? "Light" : "Dark";
      button.setAttribute("aria-label", `Use the ${isDark() ? "light" : "dark"} theme`);
    };
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { localStorage.setItem("tunegate-theme", root.dataset.theme); } catch { /* the choice holds for this visit */ }
      show();
    });
    dark.addEventListener("change", show);
    show();
  });
}
