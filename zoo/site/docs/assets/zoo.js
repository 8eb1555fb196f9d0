/* Diagrams to zoom, pan and unfold; tables of results to sort and filter. No library, no request. */
"use strict";

function diagram(place) {
  const image = place.querySelector("img");
  const view = document.createElement("div");
  view.className = "view";
  view.tabIndex = 0;
  view.setAttribute("role", "group");
  view.setAttribute("aria-label", "Diagram. Plus and minus zoom, arrow keys move, 0 fits it in.");
  const bar = document.createElement("div");
  bar.className = "bar";
  let folded = true, scale = 1, x = 0, y = 0;

  const show = () => {
    image.style.width = image.naturalWidth * scale + "px"; // a width, not a transform: the drawing stays sharp
    image.style.transform = `translate(${x}px, ${y}px)`;
    place.dataset.scale = scale.toFixed(3);
  };
  const fit = () => {
    const wide = view.clientWidth / image.naturalWidth;
    view.style.height = folded ? `${Math.ceil(image.naturalHeight * Math.min(wide, 1.2))}px` : ""; // at most as in the style
    scale = folded ? Math.min(wide, view.clientHeight / image.naturalHeight, 1.2) : Math.min(wide, 1);
    x = Math.max(0, (view.clientWidth - image.naturalWidth * scale) / 2);
    y = 0;
    show();
  };
  const zoom = (factor, atX = view.clientWidth / 2, atY = view.clientHeight / 2) => {
    const wanted = Math.min(6, Math.max(0.05, scale * factor));
    x = atX - (atX - x) * (wanted / scale);
    y = atY - (atY - y) * (wanted / scale);
    scale = wanted;
    show();
  };
  const move = (dx, dy) => { x += dx; y += dy; show(); };
  const button = (text, label, action) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.setAttribute("aria-label", label);
    made.addEventListener("click", action);
    bar.append(made);
    return made;
  };
  const unfold = () => {
    folded = !folded;
    image.addEventListener("load", fit, { once: true });
    image.src = folded ? place.dataset.folded : place.dataset.whole;
    fold.textContent = folded ? "Every layer" : "Fold";
    fold.setAttribute("aria-label", folded ? "Show every layer" : "Fold into stages");
    place.dataset.view = folded ? "folded" : "whole";
  };

  button("+", "Zoom in", () => zoom(1.3));
  button("−", "Zoom out", () => zoom(1 / 1.3));
  button("Fit", "Fit into the frame", fit);
  const fold = button("Every layer", "Show every layer", unfold);
  view.append(image);
  place.append(bar, view);
  place.dataset.view = "folded";

  view.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== view) return; // the page scrolls until the diagram is chosen
    event.preventDefault();
    const box = view.getBoundingClientRect();
    zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  const fingers = new Map();
  view.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, event);
    view.setPointerCapture(event.pointerId);
    view.focus({ preventScroll: true });
  });
  view.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const other = [...fingers.values()].find((one) => one.pointerId !== event.pointerId);
    if (other) {
      const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
      const box = view.getBoundingClientRect();
      zoom(apart(event) / Math.max(apart(before), 1), (event.clientX + other.clientX) / 2 - box.left, (event.clientY + other.clientY) / 2 - box.top);
    } else {
      move(event.clientX - before.clientX, event.clientY - before.clientY);
    }
    fingers.set(event.pointerId, event);
  });
  for (const end of ["pointerup", "pointercancel"]) view.addEventListener(end, (event) => fingers.delete(event.pointerId));
  view.addEventListener("keydown", (event) => {
    const keys = {
      "+": () => zoom(1.3), "=": () => zoom(1.3), "-": () => zoom(1 / 1.3), "0": fit,
      ArrowLeft: () => move(60, 0), ArrowRight: () => move(-60, 0), ArrowUp: () => move(0, 60), ArrowDown: () => move(0, -60),
    };
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  if (image.complete && image.naturalWidth) fit(); else image.addEventListener("load", fit, { once: true });
  new ResizeObserver(fit).observe(place);
}

function sortable(table) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const numeric = heading.classList.contains("number");
      const up = heading.getAttribute("aria-sort") ? heading.getAttribute("aria-sort") === "descending" : !numeric;
      headings.forEach((one) => one.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => row.cells[column].dataset.value;
      const order = (one, other) => (numeric ? value(one) - value(other) : value(one).localeCompare(value(other)));
      body.append(...[...body.rows].sort((one, other) => (up ? order(one, other) : order(other, one))));
    });
  });
}

function filtered(board) {
  const controls = board.querySelector(".filters");
  const [search, choice, said] = ["input", "select", "output"].map((name) => controls.querySelector(name));
  const rows = [...board.querySelectorAll("tbody tr")];
  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = (choice.value && row.dataset.dataset !== choice.value) || !words.every((word) => text.includes(word));
    }
    said.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  };
  search.addEventListener("input", apply);
  choice.addEventListener("change", apply);
  controls.hidden = false;
  apply();
}

function series(figure) {
  const [slide, frames] = [figure.querySelector(".slide"), [...figure.querySelectorAll(".frame")]];
  const [slider, said] = [slide.querySelector("input"), slide.querySelector("output")];
  const show = () => {
    frames.forEach((frame, place) => { frame.hidden = place !== Number(slider.value); });
    said.textContent = `step ${Number(frames[slider.value].dataset.step).toLocaleString("en")}`;
  };
  slider.addEventListener("input", show);
  slide.hidden = false;
  show();
}

document.querySelectorAll(".diagram").forEach(diagram);
document.querySelectorAll(".series").forEach(series);
document.querySelectorAll(".board table").forEach(sortable);
document.querySelectorAll(".board").forEach(filtered);
