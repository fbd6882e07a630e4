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

  // A long conversation is gone on with at its end. Whoever comes back to it is where they were: that is the browser's.
  const [visit] = performance.getEntriesByType("navigation");
  if (document.querySelector("[data-opens-at-end]") && !location.hash && visit?.type === "navigate") {
    document.getElementById("end").scrollIntoView({ block: "end", behavior: "instant" });
    scrolled = window.scrollY;
  }

  // Only the browser knows by which name this server is reached.
  for (const one of document.querySelectorAll("[data-address]")) {
    const address = new URL(one.dataset.address, location.href).href;
    if (one.dataset.copy === undefined) one.textContent = address;
    else one.dataset.copy = address;
  }

  // On a narrow screen the steps stand above the conversation: folded, or there would be nothing else to see.
  const steps = document.getElementById("steps");
  const narrow = window.matchMedia("(max-width: 60rem)");
  if (steps && narrow.matches) steps.open = false;

  // The step that is shown is in view among the others. Their panel scrolls for it, never the page.
  const showStep = () => {
    const row = steps?.querySelector("[aria-current]");
    if (!row || !steps.open) return;
    const [place, frame] = [row.getBoundingClientRect(), steps.getBoundingClientRect()];
    if (place.top >= frame.top && place.bottom <= frame.bottom) return;
    steps.scrollTop += place.top - frame.top - (steps.clientHeight - place.height) / 2;
  };
  showStep();
  steps?.addEventListener("toggle", showStep);
  // A large tree comes after the page. What is asked for in it later is looked at where it is.
  steps?.querySelector(".tree[hx-get]")?.addEventListener("htmx:beforeSwap", () => {
    steps.addEventListener("htmx:afterSettle", showStep, { once: true });
  }, { once: true });
})();
