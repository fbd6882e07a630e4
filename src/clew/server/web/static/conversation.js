// What the page of a conversation has beside its links: messages that come before they are asked for, and copying.
(() => {
  "use strict";

  const near = 600; // pixels: how close a link to more messages is when they are fetched
  let scrolled = window.scrollY;
  let anchor = null;

  const isNear = (link) => {
    const place = link.getBoundingClientRect();
    return place.bottom > -near && place.top < window.innerHeight + near;
  };

  // Earlier messages come only to those who scroll up: a page begins with the link to them in view.
  const fetchNear = (direction) => {
    for (const link of document.querySelectorAll(`.neighbour a.${direction}`)) {
      if (!link.dataset.asked && isNear(link)) {
        link.dataset.asked = "yes";
        htmx.trigger(link, "reached");
      }
    }
  };
  window.addEventListener("scroll", () => {
    fetchNear(window.scrollY < scrolled ? "earlier" : "later");
    scrolled = window.scrollY;
  }, { passive: true });

  // What is read stays where it is when messages are put before it.
  document.addEventListener("htmx:beforeSwap", ({ detail: { target } }) => {
    if (!target.matches?.(".neighbour")) return;
    const link = target.querySelector("a");
    const next = target.nextElementSibling;
    anchor = {
      link: link.dataset,
      had: target.contains(document.activeElement),
      next: link.classList.contains("earlier") ? next : null,
      top: next?.getBoundingClientRect().top,
    };
  });
  document.addEventListener("htmx:afterSettle", () => {
    if (!anchor) return;
    const { link, had, next, top } = anchor;
    anchor = null;
    if (next) window.scrollBy({ top: next.getBoundingClientRect().top - top, behavior: "instant" });
    scrolled = window.scrollY;
    document.getElementById("status").textContent = link.told;
    if (had) document.getElementById(link.first)?.focus({ preventScroll: Boolean(next) });
  });

  // A text that is now there in full: whoever asked for it by keyboard goes on from its beginning.
  document.addEventListener("htmx:afterSwap", ({ detail: { elt } }) => {
    if (elt.matches?.(".text.all")) elt.focus({ preventScroll: true });
  });

  document.addEventListener("click", async ({ target }) => {
    const button = target.closest?.("button[data-copy]");
    if (!button) return;
    let told = "Copied";
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      told = "The browser does not let this page copy";
    }
    document.getElementById("status").textContent = told;
    button.textContent = told;
  });

  // On a narrow screen the steps stand above the conversation: folded, or there would be nothing else to see.
  const steps = document.getElementById("steps");
  if (steps && window.matchMedia("(max-width: 60rem)").matches) steps.open = false;
})();
