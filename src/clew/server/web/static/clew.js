// The little that pages need beside htmx. Without it everything works, with one more page load here and there.
"use strict";

(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);

  function showTheme() {
    const button = document.getElementById("theme");
    const next = isDark() ? "Light" : "Dark";
    button.textContent = next;
    button.setAttribute("aria-label", `${next} colours`);
    button.hidden = false;
  }

  function switchTheme() {
    root.dataset.theme = isDark() ? "light" : "dark";
    try {
      localStorage.setItem("clew-theme", root.dataset.theme);
    } catch { /* storage is off: the choice holds for this page */ }
    showTheme();
  }

  // What a screen reader is to hear. It speaks only of what changes once the page stands.
  function announce(text) {
    const status = document.getElementById("status");
    status.textContent = "";
    setTimeout(() => { status.textContent = text; }, 100);
  }

  async function copy(button) {
    let told = "Copied";
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      told = "The browser does not let this page copy";
    }
    button.textContent = told;
    announce(told);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.id === "theme") switchTheme();
    else if (button.dataset.copy !== undefined) copy(button);
    else if (button.classList.contains("close")) button.closest(".toast").remove();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const open = event.target.closest("details.pop[open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    } else {
      document.querySelector("#toast .toast")?.remove();
    }
  });

  document.addEventListener("toggle", (event) => {
    if (event.target.matches("details.pop[open]")) event.target.querySelector("input:not([type=hidden])")?.select();
  }, true);

  function notify(text) {
    const notice = document.createElement("section");
    notice.className = "toast";
    notice.setAttribute("aria-label", "Notice");
    notice.append(document.createElement("p"), document.createElement("button"));
    notice.firstChild.textContent = text;
    Object.assign(notice.lastChild, { type: "button", className: "close", textContent: "\u2715", ariaLabel: "Dismiss" });
    document.getElementById("toast").replaceChildren(notice);
    announce(text);
  }

  // Pages, errors among them, are put in place by htmx. Other answers come from what stands before the pages.
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const xhr = event.detail.xhr;
    if ((xhr.getResponseHeader("content-type") || "").startsWith("text/html")) return;
    event.preventDefault();
    if (xhr.status === 401) {
      location.reload(); // the key is no longer good: this leads to where one logs in
      return;
    }
    try {
      notify(JSON.parse(xhr.responseText).error.message);
    } catch {
      notify(`The server answered ${xhr.status}`);
    }
  });
  document.addEventListener("htmx:sendError", () => notify("The server does not answer"));

  dark.addEventListener("change", showTheme);
  showTheme();
  const notice = document.querySelector("#toast .toast p");
  if (notice) announce(notice.textContent);
})();
