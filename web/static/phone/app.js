// What every page of the driver's does: it shows the queue and sends it, keeps pages for
// when the network is off, and says when somebody has to sign in again.
"use strict";
(() => {
  // Digests and storage are for pages that come safely; elsewhere the forms work by hand.
  if (!self.isSecureContext || !self.indexedDB || !self.porchlight) return;
  document.documentElement.classList.add("app");
  const box = document.getElementById("queue"), list = document.getElementById("queue-items"), notice = document.getElementById("notice");
  const driver = box ? box.dataset.driver : "";
  const states = {waiting: "Waiting", sending: "Sending", kept: "On record", refused: "Refused"};
  const tones = {waiting: "none", sending: "look", kept: "good", refused: "bad"};

  function element(tag, text, className) {
    const e = document.createElement(tag);
    if (text != null) e.textContent = text;
    if (className) e.className = className;
    return e;
  }

  // say shows a message above the page until it is said anew under the same name; an empty
  // text takes it away.
  function say(name, text, link, label) {
    let p = notice.querySelector(`[data-name="${name}"]`);
    if (!text) return p && p.remove();
    if (!p) notice.append(p = element("p", "", "message"));
    p.dataset.name = name;
    p.replaceChildren(element("span", text));
    if (link) {
      const a = element("a", label);
      a.href = link;
      p.firstChild.append(" ", a);
    }
  }

  const plural = (n, noun) => n === 1 ? "1 " + noun : n + " " + noun + "s";

  async function show() {
    if (!box) return;
    const items = await porchlight.all();
    const left = items.filter((i) => i.state !== "kept"), refused = items.filter((i) => i.state === "refused");
    box.hidden = !items.length;
    const photos = left.filter((i) => i.kind === "photo").length, events = left.length - photos;
    const parts = [];
    if (photos) parts.push(plural(photos, "photo"));
    if (events) parts.push(plural(events, "note"));
    let words = "All is on record: " + items.length + " sent from this phone";
    if (left.length) words = parts.join(" and ") + " not on record yet" + (navigator.onLine ? "" : ", no connection");
    if (refused.length) words += "; " + refused.length + " refused";
    document.getElementById("queue-words").textContent = words;
    document.getElementById("queue-now").parentElement.hidden = !left.length;
    list.replaceChildren(...items.slice().reverse().map((i) => {
      const li = element("li");
      li.dataset.state = i.state;
      const badge = element("span", states[i.state], "badge " + tones[i.state]);
      const what = element("span", (i.words || i.role || i.what) + ", " + (i.place || i.tracking_id) + ", " + new Date(i.at).toLocaleTimeString([], {hour: "numeric", minute: "2-digit"}));
      li.append(badge, what);
      if (i.why) li.append(element("span", i.why, "why quiet"));
      if (i.state === "refused") {
        const again = element("button", "Try again", "second");
        again.type = "button";
        again.onclick = () => porchlight.change(i.id, {state: "waiting", nextAt: 0, why: ""}).then(flush);
        const drop = element("button", "Delete from this phone", "second");
        drop.type = "button";
        drop.onclick = () => confirm("Delete it from this phone? It is not on record.") && porchlight.remove(i.id);
        li.append(again, drop);
      }
      return li;
    }));
    wake(items);
    const room = navigator.storage && navigator.storage.estimate ? await navigator.storage.estimate() : {};
    say("room", left.length && room.quota && room.usage > 0.9 * room.quota ? "This phone is nearly full. Connect, so that the photos that wait can go up." : "");
  }

  // wake sends again when the next item is due.
  let timer;
  function wake(items) {
    clearTimeout(timer);
    const times = items.filter((i) => i.state === "waiting" && (i.nextAt || i.holdUntil)).map((i) => Math.max(i.nextAt || 0, i.holdUntil || 0));
    if (times.length) timer = setTimeout(flush, Math.max(200, Math.min(...times) - Date.now()));
  }

  let flushing, again;
  async function flush(options) {
    if (flushing) { again = true; return flushing }
    flushing = porchlight.flush(options).catch(() => "offline"); // a page that is being left
    const how = await flushing;
    flushing = undefined;
    if (again) { again = false; return flush() }
    return how;
  }

  // later asks the browser to send when it can, with this page closed too.
  async function later() {
    try {
      const r = await navigator.serviceWorker.ready;
      if (r.sync) await r.sync.register("porchlight-queue");
    } catch { /* the pages send, too */ }
  }

  // put keeps an item in the queue and sends it. Where there is no room it makes some, once.
  async function put(item, blob) {
    if (navigator.storage && navigator.storage.persist) navigator.storage.persist().catch(() => {});
    try {
      await porchlight.add({driver, ...item}, blob);
    } catch (e) {
      if (e.name !== "QuotaExceededError") throw e;
      await caches.delete("porchlight-pages");
      for (const i of await porchlight.all()) if (i.state === "kept") await porchlight.remove(i.id);
      await porchlight.add({driver, ...item}, blob);
    }
    later();
    flush();
  }

  self.addEventListener("porchlight", (e) => heard(e.detail));
  if ("BroadcastChannel" in self) new BroadcastChannel("porchlight").onmessage = (e) => heard(e.data);
  let due;
  function heard(message) {
    if (message.type === "signed-out") say("session", "You are signed out. What waits here is kept.", "/signin?next=" + encodeURIComponent(location.pathname), "Sign in to send it");
    if (message.type === "signed-in") say("session", "");
    clearTimeout(due);
    due = setTimeout(() => show().catch(failed), 20);
  }
  function failed(e) {
    say("storage", "This browser does not let the page keep photos (" + e.message + "). Stay on the page until a photo is on record.");
  }

  addEventListener("online", () => { say("offline", ""); flush({now: true}) });
  addEventListener("offline", () => { offline(); show().catch(failed) });
  function offline() { say("offline", "No connection. Photos and notes are kept on this phone and go up later.") }
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && flush());

  document.querySelectorAll('form[action="/signout"]').forEach((form) => form.addEventListener("submit", (e) => {
    // Another driver may use this phone: the pages go, what is not on record stays.
    const worker = navigator.serviceWorker && navigator.serviceWorker.controller;
    if (!worker || form.dataset.forgotten) return;
    e.preventDefault();
    form.dataset.forgotten = "yes";
    const c = new MessageChannel(), go = () => form.submit();
    c.port1.onmessage = go;
    setTimeout(go, 1000);
    worker.postMessage({type: "forget"}, [c.port2]);
  }));

  async function start() {
    if (!navigator.onLine) offline();
    await show().catch(failed);
    const now = document.getElementById("queue-now");
    if (now) now.onclick = () => flush({now: true});
    flush({now: true});
    if ("serviceWorker" in navigator) work().catch((e) => console.warn("porchlight: pages are not kept:", e.message));
  }

  // work starts the service worker and tells it what to keep.
  async function work() {
    await navigator.serviceWorker.register("/driver-worker.js", {scope: "/driver"});
    const worker = (await navigator.serviceWorker.ready).active;
    if (driver && localStorage.getItem("porchlight-driver") !== driver) {
      const c = new MessageChannel();
      const forgotten = new Promise((done) => { c.port1.onmessage = done });
      worker.postMessage({type: "forget"}, [c.port2]);
      await forgotten;
      localStorage.setItem("porchlight-driver", driver);
    }
    const paths = [location.pathname, ...[...document.querySelectorAll("nav a[href^='/driver'], [data-keep] a")].map((a) => a.getAttribute("href"))];
    worker.postMessage({type: "keep", paths: [...new Set(paths)]});
    worker.postMessage({type: "check"});
  }
  self.app = {element, put, say, flush, driver};
  if (box) {
    // After the first paint: nothing here is needed to read the page.
    if (document.readyState === "complete") setTimeout(start, 0);
    else addEventListener("load", () => setTimeout(start, 0));
  }
})();
