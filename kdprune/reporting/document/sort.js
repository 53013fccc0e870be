// Headers become buttons that sort their table; without JavaScript the tables stay as they are.
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
  headers.forEach((header, at) => {
    const number = header.classList.contains("number");
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Sort by this column: up, down, as it was";
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
  });
}
