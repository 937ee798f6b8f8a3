// What the console does beside htmx: it follows what happens on the server,
// shows instants in the reader's zone, and searches logs. Without it all pages
// still work.
"use strict";

(() => {
  const main = document.getElementById("content");
  document.documentElement.classList.add("scripted");

  // Instants come in UTC; people read them in their own zone.
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
  const localize = () => {
    for (const time of main.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (isNaN(at)) continue;
      const text = (time.dataset.time === "clock" ? clock : full).format(at);
      if (time.textContent !== text) {
        time.title = time.textContent;
        time.textContent = text;
      }
    }
  };

  const filter = () => {
    const box = main.querySelector("[data-filter]");
    if (!box) return;
    const wanted = box.value.toLowerCase();
    for (const line of document.getElementById(box.dataset.filter).children) {
      line.hidden = wanted !== "" && !line.lastElementChild.textContent.toLowerCase().includes(wanted);
    }
  };
  main.addEventListener("input", (event) => {
    if (event.target.matches("[data-filter]")) {
      event.stopPropagation();
      filter();
    }
  });

  main.addEventListener("change", (event) => {
    const all = event.target.dataset.all;
    if (!all) return;
    for (const box of event.target.form.querySelectorAll(`[name="${all}"]`)) box.checked = event.target.checked;
  });

  // A form that comes back from the server shows what the server made of it,
  // except where one is typing.
  const settle = () => {
    for (const form of main.querySelectorAll("form.wide")) {
      for (const field of form.elements) {
        if (field === document.activeElement) continue;
        if (field.type === "checkbox") field.checked = field.defaultChecked;
        else if (field.tagName === "SELECT") {
          for (const option of field.options) option.selected = option.defaultSelected;
        } else if ("defaultValue" in field) field.value = field.defaultValue;
      }
    }
  };

  const log = () => document.getElementById("log");
  let atEnd = true;
  const follow = () => {
    const list = log();
    if (list && atEnd) list.scrollTop = list.scrollHeight;
  };
  // Nothing moves from under a pointer that presses something, or the press
  // would be no click. What comes meanwhile is asked for once more after it.
  let pressed = false;
  let missed = null;
  main.addEventListener("pointerdown", (event) => {
    pressed = event.button === 0 && !!event.target.closest("button, a, summary, label");
  });
  const released = () => {
    pressed = false;
    if (missed) setTimeout(() => {
      if (missed) htmx.trigger(missed, missed === main ? "changed" : "change");
      missed = null;
    });
  };
  addEventListener("pointerup", released);
  addEventListener("pointercancel", released);
  main.addEventListener("submit", () => { missed = null; });

  // What one has opened or shut stays so, whatever the server's page says.
  let disclosed = new Map();
  document.addEventListener("htmx:before:swap", (event) => {
    const source = event.detail.ctx.sourceElement;
    if (pressed && (source === main || source.matches("form.wide"))) {
      missed = source;
      event.preventDefault();
      return;
    }
    disclosed = new Map([...main.querySelectorAll("details")].map((part) => [part, part.open]));
    const list = log();
    atEnd = !list || list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  });
  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail?.ctx?.response?.status >= 400 && main.querySelector("form.wide")) return;
    session.hidden = unchecked.hidden = true;
    for (const [part, open] of disclosed) part.open = open;
    localize();
    settle();
    filter();
    follow();
  });

  // A form that could not be checked stays as it is.
  const session = document.getElementById("session");
  const unchecked = document.getElementById("unchecked");
  document.addEventListener("htmx:response:error", (event) => {
    (event.detail.ctx.response.status === 401 ? session : unchecked).hidden = false;
  });
  document.addEventListener("htmx:error", () => { unchecked.hidden = false; });

  localize();
  follow();

  // The server says when what this page shows has changed; the page then
  // fetches itself, but not from under somebody who types in it.
  if (main.dataset.live !== "yes" || !window.EventSource) return;
  const lost = document.getElementById("connection");
  const typing = () => main.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
  let waiting = false;
  const refresh = () => {
    waiting = typing();
    if (!waiting) htmx.trigger(main, "changed");
  };
  main.addEventListener("focusout", () => {
    if (waiting) setTimeout(refresh);
  });
  const address = "/console/live?seen=" + main.dataset.seen + "&path=" + encodeURIComponent(location.pathname + location.search);
  let source;
  const listen = () => {
    source = new EventSource(address);
    source.addEventListener("open", () => { lost.hidden = true; });
    source.addEventListener("error", () => {
      lost.hidden = false;
      // The browser tries again by itself, unless something else answered in the server's place.
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
    });
    source.addEventListener("changed", refresh);
    source.addEventListener("ended", () => {
      source.close();
      location.assign("/console/sign-in?to=" + encodeURIComponent(location.pathname + location.search));
    });
  };
  listen();
  addEventListener("pagehide", () => source.close());
})();
