// The service worker of the drivers' pages. It keeps the pages and what they are made of,
// so that they open with the network off, and sends the queue when the network is back.
// The server writes a line before this one: shell, with the files and their version.
"use strict";
importScripts(shell.queue);

const files = "porchlight-files-" + shell.version, pages = "porchlight-pages";
const patience = 5000; // for a page from a slow network, milliseconds

self.addEventListener("install", (e) => e.waitUntil((async () => {
  const cache = await caches.open(files);
  // One by one: the check on the phone is large, and the pages work without it.
  for (const url of shell.files) if (!url.includes(".wasm")) await cache.add(url);
  await self.skipWaiting();
})()));

self.addEventListener("activate", (e) => e.waitUntil((async () => {
  for (const name of await caches.keys()) if (name.startsWith("porchlight-files-") && name !== files) await caches.delete(name);
  await self.clients.claim();
})()));

const within = (path) => path === "/driver" || path.startsWith("/driver/");
const kept = (path) => within(path) && !["/driver/session", "/driver/checklist"].includes(path) && !path.endsWith("/email");

self.addEventListener("fetch", (e) => {
  const url = new URL(e.request.url);
  if (e.request.method !== "GET" || url.origin !== self.location.origin) return;
  if (e.request.mode === "navigate" && kept(url.pathname)) e.respondWith(page(e));
  else if (url.pathname.startsWith("/static/")) e.respondWith(file(e.request));
  else if (url.pathname === "/driver/checklist" || url.pathname.endsWith("/preview")) e.respondWith(freshOrKept(e.request));
});

// page asks the network first; a kept page is shown where that fails or takes too long.
async function page(e) {
  const key = new URL(e.request.url).pathname;
  const asked = fetch(e.request).then(async (r) => {
    if (r.ok) await (await caches.open(pages)).put(key, r.clone());
    return r;
  });
  e.waitUntil(asked.catch(() => {}));
  const old = await caches.match(key, {cacheName: pages});
  try {
    if (!old) return await asked;
    const first = await Promise.race([asked, new Promise((done) => setTimeout(done, patience))]);
    return first && first.status < 500 ? first : old;
  } catch {
    return old || offline();
  }
}

function offline() {
  return new Response("<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'><title>No connection - Porchlight</title><link rel=stylesheet href=/static/porchlight.css><main id=main><h1>No connection</h1><p>This page was not opened on this phone before. Photos that wait are kept.<p><a class=button href=/driver>Your stops</a></main>",
    {status: 503, headers: {"Content-Type": "text/html; charset=utf-8"}});
}

// file takes a file that was kept under this very address, whose version is part of it.
async function file(request) {
  const cache = await caches.open(files);
  const old = await cache.match(request);
  if (old) return old;
  try {
    const r = await fetch(request);
    if (r.ok && shell.files.includes(request.url.slice(self.location.origin.length))) await cache.put(request, r.clone());
    return r;
  } catch (e) {
    const any = await cache.match(request, {ignoreSearch: true});
    if (any) return any;
    throw e;
  }
}

async function freshOrKept(request) {
  const cache = await caches.open(pages);
  try {
    const r = await fetch(request);
    if (r.ok) await cache.put(request, r.clone());
    return r;
  } catch (e) {
    const old = await cache.match(request);
    if (old) return old;
    throw e;
  }
}

// keep fetches pages that are likely to be opened next.
async function keep(paths) {
  const cache = await caches.open(pages);
  for (const path of paths) {
    try {
      const r = await fetch(path, {credentials: "same-origin", redirect: "manual"});
      if (r.ok && kept(new URL(path, self.location.origin).pathname)) await cache.put(new URL(path, self.location.origin).pathname, r);
    } catch { return } // offline: what is kept stays
  }
}

self.addEventListener("message", (e) => {
  if (e.data.type === "keep") e.waitUntil(keep(e.data.paths));
  if (e.data.type === "check") e.waitUntil(caches.open(files).then((c) => Promise.all(shell.files.map(async (u) => await c.match(u) || c.add(u)))));
  if (e.data.type === "forget") e.waitUntil(caches.delete(pages).then(() => e.ports[0] && e.ports[0].postMessage("forgotten")));
  if (e.data.type === "flush") e.waitUntil(porchlight.flush({now: true}));
});

self.addEventListener("sync", (e) => {
  if (e.tag !== "porchlight-queue") return;
  e.waitUntil(porchlight.flush({now: true}).then((how) => {
    if (how === "offline" && !e.lastChance) throw new Error("not all was sent"); // the browser tries again
  }));
});
