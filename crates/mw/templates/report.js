// Values under the pointer, and zoom in time. The page is complete without it.
"use strict";
(function () {
  const svg = "http://www.w3.org/2000/svg";
  const number = (value, places) =>
    value.toLocaleString("en-US", { minimumFractionDigits: places, maximumFractionDigits: places });
  const utc = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
  const price = (value) => (value === null ? "no price" : number(value, 2) + " USD/MWh");

  function element(parent, name, attributes) {
    const made = document.createElementNS(svg, name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    parent.appendChild(made);
    return made;
  }

  // Lays a surface over a figure's panels. `show` gets the place within the
  // whole range, from 0 to 1; it returns the readout as pairs of name and value.
  function attach(id, show, zooms) {
    const figure = document.getElementById(id);
    const values = document.getElementById(id + "-values");
    const readout = document.querySelector('[data-for="' + id + '"]');
    if (!figure || !values || !readout) return;
    const data = JSON.parse(values.textContent);
    const resting = readout.textContent;
    const panels = Array.from(figure.querySelectorAll(".panel"));
    const box = (panel, name) => parseFloat(panel.getAttribute(name));
    const left = box(panels[0], "x"), width = box(panels[0], "width");
    const top = box(panels[0], "y");
    const last = panels[panels.length - 1];
    const bottom = box(last, "y") + box(last, "height");
    let view = [0, 1], held = null, at = null;

    const cross = element(figure, "line", { class: "cross", y1: top, y2: bottom, visibility: "hidden" });
    const band = element(figure, "rect", { class: "band", y: top, height: bottom - top, visibility: "hidden" });
    const names = element(figure, "g", {});
    const hit = element(figure, "rect", { class: "hit", x: left, y: top, width: width, height: bottom - top, tabindex: 0 });

    const part = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(figure.getScreenCTM().inverse());
      return Math.min(1, Math.max(0, (point.x - left) / width));
    };
    const whole = (seen) => view[0] + seen * (view[1] - view[0]);

    function point(seen) {
      at = seen;
      const x = left + seen * width;
      cross.setAttribute("x1", x);
      cross.setAttribute("x2", x);
      cross.setAttribute("visibility", "visible");
      const pairs = show(data, whole(seen), values.dataset);
      readout.textContent = "";
      pairs.forEach(([name, value], place) => {
        readout.append((place ? "  ·  " : "") + name + (name ? " " : ""));
        const bold = document.createElement("b");
        bold.textContent = value;
        readout.append(bold);
      });
      if (view[1] - view[0] < 1) readout.append(back);
    }

    function rest() {
      at = null;
      cross.setAttribute("visibility", "hidden");
      readout.textContent = resting;
      if (view[1] - view[0] < 1) readout.append(back);
    }

    function look(from, to) {
      view = [from, to];
      const zoomed = to - from < 1;
      figure.classList.toggle("zoomed", zoomed);
      for (const panel of panels) {
        const [w, h] = [box(panel, "width"), box(panel, "height")];
        panel.setAttribute("viewBox", [from * w, 0, (to - from) * w, h].join(" "));
      }
      names.textContent = "";
      if (!zoomed) return;
      for (let n = 0; n <= 4; n += 1) {
        const x = left + (n / 4) * width;
        const anchor = n === 0 ? "start" : n === 4 ? "end" : "middle";
        const name = element(names, "text", { class: "tick " + anchor, x: x, y: bottom + 16 });
        name.textContent = zooms(data, whole(n / 4));
      }
    }

    const back = document.createElement("button");
    back.className = "back";
    back.textContent = "Whole range";
    back.addEventListener("click", () => { look(0, 1); rest(); });

    hit.addEventListener("pointermove", (event) => {
      const seen = part(event);
      point(seen);
      if (held === null) return;
      band.setAttribute("x", left + Math.min(held, seen) * width);
      band.setAttribute("width", Math.abs(seen - held) * width);
      band.setAttribute("visibility", "visible");
    });
    hit.addEventListener("pointerleave", () => { if (held === null) rest(); });
    if (zooms) {
      hit.addEventListener("pointerdown", (event) => {
        if (event.pointerType === "touch") return;
        held = part(event);
        hit.setPointerCapture(event.pointerId);
      });
      const release = (event) => {
        if (held === null) return;
        const ends = [whole(held), whole(part(event))].sort((a, b) => a - b);
        held = null;
        band.setAttribute("visibility", "hidden");
        if (ends[1] - ends[0] > 0.004) look(ends[0], ends[1]);
        point(part(event));
      };
      hit.addEventListener("pointerup", release);
      hit.addEventListener("pointercancel", () => { held = null; band.setAttribute("visibility", "hidden"); });
      hit.addEventListener("dblclick", () => { look(0, 1); rest(); });
    }
    hit.addEventListener("keydown", (event) => {
      const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      if (event.key === "Escape") { look(0, 1); rest(); }
      if (!step) return;
      event.preventDefault();
      point(Math.min(1, Math.max(0, (at === null ? 0 : at) + step / data.length)));
    });
  }

  const uses = Array.from(document.querySelectorAll(".legend .area"), (swatch) =>
    swatch.closest("span").textContent.trim());
  const reach = (data) => data[data.length - 1][1];
  const step = (data, part) => {
    const x = part * reach(data);
    let low = 0, high = data.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (data[middle][1] < x) low = middle + 1; else high = middle;
    }
    return data[low];
  };
  attach("megawatts", (data, part) => {
    const found = step(data, part);
    const pairs = [["", utc(found[2]) + " to " + utc(found[3])],
      ["price, mean", price(found[4])], ["highest", price(found[5])]];
    uses.forEach((name, place) => pairs.push([name, number(found[6 + place], 1) + " MW"]));
    return pairs;
  }, (data, part) => utc(step(data, part)[2]));
  attach("duration", (data, part, said) => {
    const value = data[Math.round(part * (data.length - 1))];
    const share = part * part;
    const hours = share * Number(said.seconds) / 3600;
    return [["at or above", price(value)], ["for", number(share * 100, 2) + " % of the time, " + number(hours, 1) + " h"]];
  }, null);

  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details").forEach((details) => { details.open = true; });
  });
})();
