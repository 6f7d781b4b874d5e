// The queue: photos and events that wait on this phone until they are on record. Pages and
// the service worker share it; whichever runs sends. The same bytes are answered the same,
// so that sending twice does no harm. A photo's bytes are never changed, and they leave the
// phone's storage only when the server has named the same digest, or when their owner says so.
"use strict";
(() => {
  const keptFor = 2 * 24 * 3600e3; // how long an item on record stays in the list
  const pauses = [2, 5, 15, 60, 180, 600]; // seconds until it is tried again
  const lock = "porchlight-queue";
  let database;

  function open() {
    database ||= new Promise((done, failed) => {
      const r = indexedDB.open("porchlight", 1);
      r.onupgradeneeded = () => {
        r.result.createObjectStore("items", {keyPath: "id"});
        r.result.createObjectStore("bytes");
      };
      r.onsuccess = () => {
        r.result.onversionchange = r.result.onclose = () => { r.result.close(); database = undefined };
        done(r.result);
      };
      r.onerror = () => { database = undefined; failed(r.error) };
    });
    return database;
  }

  // run does work in one transaction and answers, once it is on disk, what the request that
  // work gave back came to.
  async function run(mode, work) {
    const db = await open();
    return new Promise((done, failed) => {
      const t = db.transaction(["items", "bytes"], mode, {durability: "strict"});
      const request = work(t.objectStore("items"), t.objectStore("bytes"));
      t.oncomplete = () => done(request && request.result);
      t.onabort = () => failed(t.error || new DOMException("The transaction was aborted", "AbortError"));
    });
  }

  const told = "BroadcastChannel" in self ? new BroadcastChannel("porchlight") : null;
  function tell(message) {
    if (told) told.postMessage(message);
    self.dispatchEvent(new CustomEvent("porchlight", {detail: message}));
  }

  // all lists the items without their bytes, oldest first.
  async function all() {
    const items = await run("readonly", (items) => items.getAll());
    return items.sort((a, b) => a.order - b.order);
  }

  const item = (id) => run("readonly", (items) => items.get(id));
  const bytes = (id) => run("readonly", (_, bytes) => bytes.get(id));

  // add keeps an item, and a photo's bytes with it, in one transaction. It fails with
  // QuotaExceededError where there is no room.
  async function add(given, blob) {
    const added = {state: "waiting", attempts: 0, nextAt: 0, order: Date.now(), ...given};
    await run("readwrite", (items, bytes) => {
      if (blob) bytes.put(blob, added.id);
      return items.put(added);
    });
    tell({type: "queue"});
    return added;
  }

  async function change(id, patch, dropBytes) {
    await run("readwrite", (items, bytes) => {
      const r = items.get(id);
      r.onsuccess = () => {
        if (!r.result) return;
        items.put({...r.result, ...patch});
        if (dropBytes) bytes.delete(id);
      };
    });
    tell({type: "queue"});
  }

  async function remove(id) {
    await run("readwrite", (items, bytes) => { items.delete(id); bytes.delete(id) });
    tell({type: "queue"});
  }

  class SignedOut extends Error {}
  class Offline extends Error {}

  async function ask(path, options) {
    try {
      return await fetch(path, {credentials: "same-origin", cache: "no-store", redirect: "manual", ...options, headers: {Accept: "application/json"}});
    } catch (e) {
      throw new Offline(e.message);
    }
  }

  async function session() {
    const r = await ask("/driver/session");
    if (r.status === 401 || r.status === 403 || r.type === "opaqueredirect") throw new SignedOut();
    if (!r.ok) throw new Offline("the server answers " + r.status);
    return r.json();
  }

  async function formOf(i, csrf) {
    const f = new FormData();
    f.append("csrf", csrf);
    if (i.fix) {
      f.append("latitude", String(i.fix.latitude));
      f.append("longitude", String(i.fix.longitude));
      if (i.fix.accuracy_m != null) f.append("accuracy_m", String(i.fix.accuracy_m));
    }
    if (i.kind === "event") {
      f.append("what", i.what);
      f.append("event_id", i.id);
      f.append("at", i.at);
      return new URLSearchParams(f);
    }
    f.append("role", i.role);
    f.append("captured_at", i.at);
    for (const id of i.also || []) f.append("also", id);
    const blob = await bytes(i.id);
    if (!blob) throw new Error("The photo's bytes are no longer on this phone");
    f.append("photo", blob, i.name || "photo");
    return f;
  }

  const path = (i) => "/driver/stops/" + encodeURIComponent(i.tracking_id) + (i.kind === "event" ? "/events" : "/photos");

  // later puts an item off; the server may say for how long.
  function later(i, why, seconds) {
    const pause = Math.max(seconds || 0, pauses[Math.min(i.attempts, pauses.length - 1)]);
    return change(i.id, {state: "waiting", attempts: i.attempts + 1, nextAt: Date.now() + pause * 1000, why});
  }

  // sendOne sends an item and keeps what came of it. It throws where nothing more can be
  // sent by now.
  async function sendOne(i, who) {
    await change(i.id, {state: "sending", why: ""});
    let r;
    try {
      r = await ask(path(i), {method: "POST", body: await formOf(i, who.csrf)});
    } catch (e) {
      await later(i, e instanceof Offline ? "" : e.message);
      throw e;
    }
    if (r.status === 401 || r.type === "opaqueredirect") {
      await change(i.id, {state: "waiting", nextAt: 0});
      throw new SignedOut();
    }
    let answer = {};
    try { answer = await r.json() } catch { /* an answer that is none of ours */ }
    if (r.ok && (i.kind === "event" ? answer.event_id === i.id : answer.photo_id === i.sha256)) {
      return change(i.id, {state: "kept", answer, keptAt: Date.now(), why: ""}, true);
    }
    if (r.status === 403 && answer.code === "cross_site" && !i.again) return change(i.id, {state: "waiting", nextAt: 0, again: true}).then(() => true);
    if (r.ok || r.status >= 500 || r.status === 408 || r.status === 429) {
      await later(i, answer.detail || "The server answers " + r.status, Number(r.headers.get("Retry-After")));
      throw new Offline(answer.detail || "the server answers " + r.status);
    }
    return change(i.id, {state: "refused", why: answer.detail || "The server answers " + r.status});
  }

  async function sendAll() {
    let who;
    for (;;) {
      const now = Date.now(), items = await all();
      for (const i of items) if (i.state === "kept" && now - i.keptAt > keptFor) await remove(i.id);
      // The lock is ours: what says "sending" was left by one who ended in the middle of it.
      const i = items.find((i) => (i.state === "waiting" || i.state === "sending") && (i.nextAt || 0) <= now && (i.holdUntil || 0) <= now && (!who || i.driver === who.driver_id));
      if (!i) return;
      try {
        who ||= await session();
      } catch (e) {
        if (e instanceof Offline) await later(i, "");
        throw e;
      }
      if (i.driver !== who.driver_id) {
        await change(i.id, {state: "waiting", nextAt: now + 60e3, why: "It is driver " + i.driver + "'s: it goes up when that driver signs in"});
        continue;
      }
      if (await sendOne(i, who) === true) who = undefined;
    }
  }

  // flush sends what is due. It answers "done", "signed-out" or "offline".
  async function flush(options) {
    if (options && options.now) {
      for (const i of await all()) if (i.state === "waiting" && i.nextAt) await change(i.id, {nextAt: 0});
    }
    const work = async () => {
      try {
        await sendAll();
        tell({type: "signed-in"});
        return "done";
      } catch (e) {
        if (e instanceof SignedOut) { tell({type: "signed-out"}); return "signed-out" }
        if (!(e instanceof Offline)) console.warn("porchlight: the queue stopped:", e.message);
        return "offline";
      }
    };
    return navigator.locks ? navigator.locks.request(lock, work) : work();
  }

  self.porchlight = {all, item, bytes, add, change, remove, flush, tell};
})();
