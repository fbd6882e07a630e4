// In the head, before anything is drawn: the page begins in the colours that were chosen here last.
try {
  const theme = localStorage.getItem("clew-theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch { /* storage is off: the system's colours stay */ }
document.documentElement.classList.add("js");
