// Dark or light: as the system has it, until the operator chooses. Loaded first, so nothing flashes.
"use strict";
(function () {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  function show() {
    const theme = localStorage.getItem("theme") || (dark.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
  }
  window.switchTheme = function () {
    const now = document.documentElement.dataset.theme;
    localStorage.setItem("theme", now === "dark" ? "light" : "dark");
    show();
  };
  dark.addEventListener("change", show);
  show();
})();
