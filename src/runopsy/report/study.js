// Sorting and hover for the table of a study. Without it the page shows the same, at rest.
"use strict";

addEventListener("load", () => afterFrame(() => afterFrame(showAll))); // the first view is drawn before
for (const table of document.querySelectorAll("table.runs")) sortable(table);
for (const table of document.querySelectorAll("table.runs")) peeking(table, document.querySelector(".peek"));

function afterFrame(act) {
  requestAnimationFrame(() => setTimeout(act));
}

function showAll() {
  for (const table of document.querySelectorAll("table.runs")) table.classList.add("whole");
}

function sortable(table) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    if (head.classList.contains("times")) return;
    head.tabIndex = 0;
    head.setAttribute("role", "button");
    const sort = () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const keyed = [...body.rows].map((row) => ({ row, key: keyOf(row.cells[column].textContent) }));
      keyed.sort((a, b) => compare(a.key, b.key, falling ? -1 : 1));
      body.replaceChildren(...keyed.map((one) => one.row));
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); } });
  });
}

function keyOf(text) { // a number where it is one, as the report writes them
  if (text === "") return null;
  const number = Number(text.replaceAll(",", ""));
  return Number.isNaN(number) ? text : number;
}

function compare(a, b, side) { // what is missing comes last either way; numbers before words
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return side * (typeof a === "number" ? a - b : a.localeCompare(b));
}

function peeking(table, peek) {
  const body = table.tBodies[0];
  body.addEventListener("pointerover", (event) => {
    const row = event.target.closest("tr");
    if (row) show(row, event);
  });
  body.addEventListener("pointerleave", () => { peek.hidden = true; });

  function show(row, event) {
    const curves = JSON.parse(row.dataset.c);
    peek.hidden = curves.length === 0;
    if (peek.hidden) return;
    peek.replaceChildren(...curves.map(drawing));
    const box = row.getBoundingClientRect();
    const left = Math.min(event.clientX + 24, innerWidth - peek.offsetWidth - 12);
    const below = box.bottom + peek.offsetHeight + 8 < innerHeight;
    peek.style.left = `${Math.max(left, 8)}px`;
    peek.style.top = `${below ? box.bottom + 4 : box.top - peek.offsetHeight - 4}px`;
  }
}

function drawing([name, colour, low, high, course]) {
  const figure = document.createElement("figure"), caption = document.createElement("figcaption");
  caption.textContent = `${name}: ${low} to ${high}`;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "-10 -40 1020 1080");
  svg.setAttribute("preserveAspectRatio", "none");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  let d = "";
  for (let i = 0; i < course.length; i += 2) d += `${i ? "L" : "M"}${course[i]} ${course[i + 1]}`;
  path.setAttribute("d", d);
  path.setAttribute("class", `line c${colour}`);
  svg.append(path);
  figure.append(caption, svg);
  return figure;
}
