"use strict";
// Keeps the page up to date. Without it the page is as it was when it was loaded.
(() => {
  const live = document.getElementById("live"), news = document.getElementById("news"), link = document.getElementById("link");
  let source = null, timer = 0, tries = 0;

  const say = (text, on) => { link.textContent = text; link.classList.toggle("on", on); };

  // morph makes one element like another and touches only what differs, so that focus, selection and scrolling stay.
  function morph(old, next) {
    for (const a of [...old.attributes]) if (!next.hasAttribute(a.name)) old.removeAttribute(a.name);
    for (const a of next.attributes) if (old.getAttribute(a.name) !== a.value) old.setAttribute(a.name, a.value);
    if (old.nodeName === "INPUT") return;
    children(old, next);
  }
  function children(old, next) {
    const named = new Map([...old.children].filter((c) => c.id).map((c) => [c.id, c]));
    let at = old.firstChild;
    for (const want of [...next.childNodes]) {
      let have = want.id ? named.get(want.id) : at;
      if (!have || have.nodeName !== want.nodeName || (have.id || "") !== (want.id || "")) {
        old.insertBefore(want, at);
        continue;
      }
      if (have === at) at = at.nextSibling; else old.insertBefore(have, at);
      if (have.nodeType !== 1) { if (have.data !== want.data) have.data = want.data; } else morph(have, want);
    }
    while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
  }
  function show(html) {
    const focus = document.activeElement && document.activeElement.id;
    children(live, new DOMParser().parseFromString(html, "text/html").body);
    if (focus && document.activeElement.id !== focus) document.getElementById(focus)?.focus({ preventScroll: true });
  }

  function close() {
    clearTimeout(timer);
    if (source) source.close();
    source = null;
  }
  function open() {
    close();
    source = new EventSource(live.dataset.events);
    source.onopen = () => { tries = 0; say("Live", true); };
    source.addEventListener("page", (e) => show(e.data));
    source.addEventListener("news", (e) => { news.textContent = e.data; });
    source.onerror = () => {
      say("The connection is lost; trying again", false);
      if (source && source.readyState === EventSource.CLOSED) { // refused: the browser itself does not try again
        timer = setTimeout(open, Math.min(60, 2 ** tries++) * 1000 * (0.5 + Math.random()));
      }
    };
  }
  // A page that nobody sees takes none of the few connections that a browser and a server have.
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else open(); });
  addEventListener("pagehide", close);
  addEventListener("pageshow", () => { if (!document.hidden) open(); });
})();
