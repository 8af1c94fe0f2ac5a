// Zoom, hover and switches for the figures of a report. Without it the page shows the same, at rest.
"use strict";

const WIDE = 100000, TALL = 10000; // units of a plot's drawing, as the page draws it
const AIR = 0.04; // of the height, above and below the curves
const CLOSEST = 1 / 400; // of the axis: nearer, nothing is drawn that is not drawn already

for (const figure of document.querySelectorAll("figure[data-scale]")) awaken(figure);
for (const input of document.querySelectorAll("[data-opens]")) {
  input.addEventListener("change", () => { document.getElementById(input.dataset.opens).hidden = !input.checked; });
}
addEventListener("beforeprint", () => { for (const d of document.querySelectorAll("details")) d.open = true; });

function awaken(figure) {
  const scale = JSON.parse(figure.dataset.scale);
  const plots = [...figure.querySelectorAll(".plot")].map(plotOf);
  const readout = figure.querySelector(".readout");
  let from = 0, to = 1, at = null; // the part that is shown, and the cursor, as shares of the whole axis

  const across = (position) => {
    const elapsed = Math.max(position - scale.first, 0), length = scale.last - scale.first;
    return scale.log ? Math.log1p(elapsed / scale.origin) / Math.log1p(length / scale.origin) : elapsed / length;
  };
  const position = (share) => {
    const length = scale.last - scale.first;
    return scale.first + (scale.log ? scale.origin * Math.expm1(share * Math.log1p(length / scale.origin)) : share * length);
  };

  function show(a, b) {
    const width = Math.min(Math.max(b - a, CLOSEST), 1);
    from = Math.min(Math.max(a, 0), 1 - width);
    to = from + width;
    for (const part of figure.querySelectorAll("[data-from]")) lay(part);
    for (const plot of plots) fit(plot);
    for (const axis of figure.querySelectorAll(".xs")) axis.replaceChildren(...ticksAcross().map(tickAt));
    for (const button of figure.querySelectorAll("[data-do]")) {
      button.disabled = button.dataset.do !== "in" && from === 0 && to === 1;
    }
    point(at);
  }

  function lay(part) {
    const left = (part.dataset.from - from) / (to - from), right = (part.dataset.to - from) / (to - from);
    part.style.left = `${100 * left}%`;
    if (part.dataset.to) {
      const a = Math.max(left, 0), b = Math.min(right, 1);
      part.style.left = `${100 * a}%`;
      part.style.width = `${Math.max(100 * (b - a), 0)}%`;
    }
    part.style.visibility = left > 1 || (part.dataset.to ? right : left) < 0 ? "hidden" : "visible";
  }

  function fit(plot) { // the height follows what is seen
    let low = Infinity, high = -Infinity;
    for (const line of plot.lines) {
      if (line.off) continue;
      const first = Math.max(line.index(position(from)) - 1, 0);
      const last = Math.min(line.index(position(to)) + 1, line.step.length);
      for (let i = first; i < last; i += 1) {
        if (plot.log && line.value[i] <= 0) continue;
        const seen = Math.min(Math.max(line.value[i], plot.low), plot.high); // what is beyond is drawn at the edge
        low = Math.min(low, seen);
        high = Math.max(high, seen);
      }
    }
    if (!(high >= low)) [low, high] = [plot.low, plot.high];
    if (from === 0 && to === 1) [low, high] = [plot.low, plot.high];
    if (high === low) { const room = plot.log ? [low / 2, high * 2] : [low - 0.5, high + 0.5]; [low, high] = room; }
    const top = plot.share(high), bottom = plot.share(low);
    const height = (bottom - top) / (1 - 2 * AIR), y = top - AIR * height;
    plot.svg.setAttribute("viewBox", `${from * WIDE} ${y * TALL} ${(to - from) * WIDE} ${height * TALL}`);
    const marks = plot.log ? decades(low, high, 5) : ticks(low, high, 5);
    plot.ys.replaceChildren(...marks.map((v) => label(tidy(v), "top", (plot.share(v) - y) / height)));
  }

  function ticksAcross() {
    const low = position(from), high = position(to), most = Math.max(3, Math.floor((plots.length ? plots[0].box.clientWidth : figure.clientWidth) / 75));
    if (!scale.log || high - scale.first < 3 * (low - scale.first)) return ticks(low, high, most);
    const chosen = [];
    const powers = [...Array(40).keys()].map((k) => 10 ** (Math.floor(Math.log10(scale.origin)) + k));
    for (const factor of [0, 1, 3, 2, 5]) {
      for (const v of factor ? powers.map((p) => factor * p) : [scale.first]) {
        const share = (across(v) - from) / (to - from);
        if (v >= low && v <= high && chosen.every((c) => Math.abs(c.share - share) >= 1 / most)) chosen.push({ v, share });
      }
    }
    return chosen.map((c) => c.v);
  }

  const tickAt = (v) => label(place(v), "left", (across(v) - from) / (to - from));

  function point(share) { // the cursor, and what the curves are there
    at = share;
    for (const cursor of figure.querySelectorAll(".cursor")) {
      cursor.hidden = share === null;
      if (share !== null) cursor.style.left = `${100 * (share - from) / (to - from)}%`;
    }
    if (share === null) { readout.textContent = ""; return; }
    const lines = plots.filter((p) => !p.box.closest("[hidden]")).flatMap((p) => p.lines).filter((l) => !l.off);
    if (!lines.length) { readout.textContent = ""; return; }
    const [first] = lines, where = first.step[first.nearest(position(share))]; // a row that was logged
    const values = lines.map((l) => `${l.name} ${tidy(l.value[l.nearest(where)])}`);
    readout.textContent = `${scale.unit} ${place(where)}: ${values.join(" · ")}`;
  }

  function zoom(factor, around = at ?? (from + to) / 2) {
    show(around - (around - from) * factor, around + (to - around) * factor);
  }

  const acts = { in: () => zoom(0.5), out: () => zoom(2), whole: () => show(0, 1) };
  for (const button of figure.querySelectorAll("[data-do]")) button.addEventListener("click", acts[button.dataset.do]);

  for (const plot of plots) {
    const box = plot.box;
    const shareOf = (event) => {
      const edges = box.getBoundingClientRect();
      return from + (to - from) * Math.min(Math.max((event.clientX - edges.left) / edges.width, 0), 1);
    };
    let start = null;
    const brush = box.querySelector(".brush");
    box.addEventListener("pointerdown", (event) => { start = shareOf(event); box.setPointerCapture(event.pointerId); });
    box.addEventListener("pointermove", (event) => {
      point(shareOf(event));
      if (start === null) return;
      const [a, b] = [start, at].sort((p, q) => p - q).map((s) => (s - from) / (to - from));
      brush.hidden = b - a < 0.01;
      brush.style.left = `${100 * a}%`;
      brush.style.width = `${100 * (b - a)}%`;
    });
    box.addEventListener("pointerup", (event) => {
      const end = shareOf(event);
      if (start !== null && Math.abs(end - start) >= 0.01 * (to - from)) show(Math.min(start, end), Math.max(start, end));
      start = null;
      brush.hidden = true;
    });
    box.addEventListener("pointercancel", () => { start = null; brush.hidden = true; });
    box.addEventListener("pointerleave", () => { if (start === null) point(null); });
    box.addEventListener("dblclick", acts.whole);
    box.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // an ordinary wheel scrolls the page
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1.25 : 0.8, shareOf(event));
    }, { passive: false });
    box.addEventListener("keydown", (event) => {
      const step = (to - from) / 50, side = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (side && event.shiftKey) show(from + side * 5 * step, to + side * 5 * step);
      else if (side) point(Math.min(Math.max((at ?? (from + to) / 2) + side * step, from), to));
      else if (event.key === "+" || event.key === "=") acts.in();
      else if (event.key === "-") acts.out();
      else if (event.key === "Escape" || event.key === "0") acts.whole();
      else return;
      event.preventDefault();
    });
  }
  for (const input of figure.querySelectorAll("[data-line]")) {
    const plot = plots.find((p) => p.box === input.closest(".chart").querySelector(".plot"));
    input.addEventListener("change", () => {
      const line = plot.lines[input.dataset.line];
      line.off = !input.checked;
      for (const path of plot.svg.querySelectorAll(`[data-of="${input.dataset.line}"]`)) path.style.display = line.off ? "none" : "";
      show(from, to);
    });
    input.disabled = false;
  }
  for (const hidden of figure.querySelectorAll(".tools, fieldset")) hidden.hidden = false;
  new ResizeObserver(() => show(from, to)).observe(figure);
}

function plotOf(box) {
  const { log, low, high, lines } = JSON.parse(box.querySelector("script").textContent);
  const scaled = log ? Math.log : (v) => v;
  const share = (v) => 1 - AIR - (1 - 2 * AIR) * (scaled(v) - scaled(low)) / (scaled(high) - scaled(low));
  for (const line of lines) {
    line.index = (where) => { // the first value at or after a position
      let a = 0, b = line.step.length;
      while (a < b) { const m = (a + b) >> 1; if (line.step[m] < where) a = m + 1; else b = m; }
      return a;
    };
    line.nearest = (where) => {
      const i = Math.min(line.index(where), line.step.length - 1);
      return i > 0 && where - line.step[i - 1] < line.step[i] - where ? i - 1 : i;
    };
  }
  return { box, log, low, high, lines, share, svg: box.querySelector("svg"), ys: box.querySelector(".ys") };
}

function label(text, side, share) {
  const span = document.createElement("span");
  span.textContent = text;
  span.style[side] = `${100 * share}%`;
  return span;
}

function ticks(low, high, most) {
  const size = 10 ** Math.floor(Math.log10((high - low) / most));
  const step = [1, 2, 2.5, 5, 10, 20, 50].map((k) => k * size).find((s) => (high - low) / s <= most);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i <= Math.floor(high / step + 1e-9); i += 1) found.push(i * step);
  return found;
}

function decades(low, high, most) {
  const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
  if (last - first < 1) return ticks(low, high, most);
  const stride = Math.max(1, Math.ceil((last - first + 1) / most)), found = [];
  for (let k = first; k <= last; k += stride) found.push(10 ** k);
  return found;
}

function tidy(value) { // four digits, as in the text
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e6) return value.toExponential(3).replace(/\.?0+e/, "e");
  return String(Number(value.toPrecision(4)));
}

function place(position) {
  if (Math.abs(position) >= 100) return Math.round(position).toLocaleString("en-US");
  return String(Number(position.toPrecision(3)));
}
