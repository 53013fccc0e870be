// Headers become buttons that sort their table, and the contents follow the reader. Without
// JavaScript all text, tables and pictures are there all the same.
"use strict";
for (const table of document.querySelectorAll("table")) {
  const body = table.tBodies[0];
  const original = [...body.rows];
  if (original.length < 2) continue;
  const headers = [...table.tHead.rows[0].cells];
  const key = (row, at, number) => {
    const cell = row.cells[at];
    if (!number) return cell.textContent;
    return "value" in cell.dataset ? Number(cell.dataset.value) : null;
  };
  const buttons = headers.map((header, at) => {
    const number = header.classList.contains("number");
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Sort by this column: up, down, as it was";
    button.tabIndex = at ? -1 : 0; // one stop per table; the arrow keys go on from there
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const before = header.getAttribute("aria-sort");
      const next = { ascending: "descending", descending: null }[before];
      const order = next === undefined ? "ascending" : next;
      for (const other of headers) other.removeAttribute("aria-sort");
      if (order) header.setAttribute("aria-sort", order);
      const sign = order === "descending" ? -1 : 1;
      const compare = (first, second) => {
        const [a, b] = [key(first, at, number), key(second, at, number)];
        const missing = (value) => value === null || value === "–";
        if (missing(a) || missing(b)) return missing(a) - missing(b); // always last
        return sign * (number ? a - b : a.localeCompare(b, "en", { numeric: true }));
      };
      body.append(...(order ? [...original].sort(compare) : original));
    });
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const next = buttons[at + step];
      if (!next) return;
      event.preventDefault();
      button.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
    return button;
  });
}

const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const watch = new IntersectionObserver((seen) => {
  for (const { target, isIntersecting } of seen) {
    if (!isIntersecting) continue;
    for (const link of links.values()) link.removeAttribute("aria-current");
    links.get(target.id)?.setAttribute("aria-current", "true");
  }
}, { rootMargin: "-15% 0px -75% 0px" });
for (const section of document.querySelectorAll("main > section")) watch.observe(section);

const contents = document.querySelector("nav details");
if (contents && matchMedia("(max-width: 860px)").matches) contents.open = false;

// A link into a closed fold opens it; paper has no folds to open
const reveal = () => {
  let inner = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (; inner; inner = inner.parentElement) if (inner.localName === "details") inner.open = true;
};
addEventListener("hashchange", reveal);
reveal();
addEventListener("beforeprint", () => {
  for (const fold of document.querySelectorAll("main details")) fold.open = true;
});
