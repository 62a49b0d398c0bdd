// Keeps pages of the console fresh. Every page is whole without it.
//
// The page is asked for again when the run says over /v1/events that something has
// happened, and every few seconds besides; only what is inside #live is put in place.
// Nothing here makes markup of text.
"use strict";
(function () {
  const live = () => document.getElementById("live");
  if (!live()) return;
  const line = document.getElementById("line");
  const ofRacks = live().dataset.page === "capacity";
  const isNow = ofRacks || live().dataset.page === "now";
  const isToday = isNow || live().dataset.today === "yes";

  // How long without a fresh page until figures are shown as old, in milliseconds.
  const OLD_AFTER = 30000;
  // How often a page is asked for when nothing seems to happen.
  const EVERY = isNow ? 5000 : 60000;
  // The least time between two.
  const APART = 700;

  let freshAt = Date.now();
  let asking = false;
  let again = false;
  let heard = false;

  function say(text, isLost) {
    if (!line) return;
    if (line.textContent !== text) line.textContent = text;
    line.classList.toggle("lost", isLost);
  }

  // What a person has opened or is about to use stays as it is.
  function keep(before, after) {
    for (const open of before.querySelectorAll("details[open][id]")) {
      const same = after.querySelector("#" + CSS.escape(open.id));
      if (same) same.open = true;
    }
  }

  function isBusy() {
    const at = document.activeElement;
    const chosen = window.getSelection();
    const reads = chosen && !chosen.isCollapsed && live().contains(chosen.anchorNode);
    const acts = at && live().contains(at) && at.matches("button, input");
    return Boolean(reads || acts);
  }

  async function page(address) {
    const answer = await fetch(address, { credentials: "same-origin", cache: "no-store" });
    if (answer.redirected && new URL(answer.url).pathname === "/login") {
      location.assign("/login");
      throw new Error("the session has ended");
    }
    if (!answer.ok) throw new Error("status " + answer.status);
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }

  async function refresh() {
    if (asking) { again = true; return; }
    if (document.hidden || isBusy()) return;
    asking = true;
    try {
      const fresh = await page(location.pathname + location.search);
      const inside = fresh.getElementById("live");
      if (inside && !isBusy()) {
        const focused = document.activeElement;
        const id = focused && live().contains(focused)
          ? (focused.id || (focused.parentElement && focused.parentElement.id)) : "";
        const scrolled = document.querySelector(".chart, .scroll");
        const left = scrolled ? scrolled.scrollLeft : 0;
        keep(live(), inside);
        const [read, reading] = [document.getElementById("decision"), inside.querySelector("#decision")];
        if (pointed && read && reading) reading.replaceWith(read.cloneNode(true));
        const kept = pointed;
        live().replaceWith(document.adoptNode(inside));
        pointed = kept;
        const same = document.querySelector(".chart, .scroll");
        if (same) same.scrollLeft = left;
        const back = id && document.getElementById(id);
        if (back) (back.querySelector("summary") || back).focus({ preventScroll: true });
        const asOf = fresh.getElementById("as-of");
        const mine = document.getElementById("as-of");
        if (asOf && mine) mine.textContent = asOf.textContent;
        dress();
      }
      freshAt = Date.now();
      say(heard ? "live" : "every few seconds", false);
    } catch (error) {
      say("the run does not answer; figures are old", true);
    }
    asking = false;
    live().classList.toggle("is-old", Date.now() - freshAt > OLD_AFTER);
    if (again) { again = false; setTimeout(refresh, APART); }
  }

  // Events, with resume by the browser itself. A 410 ends it: begin anew.
  let soon = 0;
  function listen() {
    const events = new EventSource(ofRacks ? "/v1/capacity/events" : "/v1/events");
    const hear = () => {
      clearTimeout(soon);
      soon = setTimeout(refresh, APART);
    };
    for (const kind of ["decision", "metered", "alarm", "request", "site", "racks"]) {
      events.addEventListener(kind, hear);
    }
    events.onopen = () => { heard = true; say("live", false); };
    events.onerror = () => {
      heard = false;
      if (events.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
    };
    addEventListener("pagehide", () => events.close());
  }

  // Power day: figures under the pointer, reasons of what is chosen.
  const readout = () => document.getElementById("readout");
  let at = -1;
  let wanted = 0;
  // The address of what is pointed at, so that a fresh page goes on showing it.
  let pointed = "";

  function hits() { return Array.from(document.querySelectorAll(".hit")); }

  function point(hit) {
    for (const other of document.querySelectorAll(".hit.at")) other.classList.remove("at");
    if (!hit) return;
    hit.classList.add("at");
    pointed = hit.getAttribute("href");
    const title = hit.querySelector("title");
    if (readout() && title) readout().textContent = title.textContent;
    clearTimeout(wanted);
    wanted = setTimeout(() => reasons(hit), 180);
  }

  const seen = new Map();
  async function reasons(hit) {
    const address = hit.getAttribute("href").split("#")[0];
    try {
      let fresh = seen.get(address);
      if (!fresh) {
        fresh = (await page(address)).getElementById("decision");
        if (!fresh) return;
        if (seen.size > 300) seen.clear();
        seen.set(address, fresh);
      }
      if (!hit.classList.contains("at")) return;
      const old = document.getElementById("decision");
      if (old) old.replaceWith(document.adoptNode(fresh.cloneNode(true)));
    } catch (error) {
      say("the run does not answer; figures are old", true);
    }
  }

  function dress() {
    const paper = document.getElementById("paper");
    if (!paper) return;
    const same = pointed && hits().find((hit) => hit.getAttribute("href") === pointed);
    if (same) { at = hits().indexOf(same); point(same); }
    paper.addEventListener("pointerleave", () => {
      if (document.activeElement !== paper) pointed = "";
    });
    paper.addEventListener("blur", () => { pointed = ""; });
    paper.addEventListener("pointerover", (event) => {
      const hit = event.target.closest(".hit");
      if (hit) { at = hits().indexOf(hit); point(hit); }
    });
    paper.addEventListener("keydown", (event) => {
      const all = hits();
      if (!all.length) return;
      const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -12, PageDown: 12 };
      let to = at < 0 ? all.length - 1 : at;
      if (event.key in steps) to += steps[event.key];
      else if (event.key === "Home") to = 0;
      else if (event.key === "End") to = all.length - 1;
      else if (event.key === "Enter" && at >= 0) {
        location.assign(all[at].getAttribute("href"));
        return;
      } else return;
      event.preventDefault();
      at = Math.max(0, Math.min(all.length - 1, to));
      point(all[at]);
    });
  }

  dress();
  if (isToday) {
    listen();
    setInterval(refresh, EVERY);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  }
})();
