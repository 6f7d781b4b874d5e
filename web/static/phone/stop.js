// A stop's page: the camera in one tap, the verdict at the door, what happened here, and the
// five minutes of the guides.
"use strict";
(() => {
  if (!document.documentElement.classList.contains("app")) return; // the form works by hand
  const camera = document.getElementById("camera"), facts = JSON.parse(camera.dataset.facts);
  const form = camera.querySelector("form"), input = document.getElementById("photo"), role = document.getElementById("role");
  const take = camera.querySelector(".take"), heading = document.getElementById("add"), now = document.getElementById("now"), place = document.getElementById("place");
  const {element} = app, id = facts.delivery.tracking_id, address = facts.delivery.address || id;
  const hints = Object.fromEntries([...role.options].map((o) => [o.value, o.dataset.hint]));
  let chosen = ""; // a role that the driver picked

  // Roles, in the order that the instruction needs.

  async function mine() { return (await porchlight.all()).filter((i) => i.tracking_id === id) }

  // good tells an item that counts as a photo of its role by now.
  const good = (i) => i.kind === "photo" && i.state !== "refused" && (i.state === "kept" ? i.answer.verdict : i.local ? i.local.verdict : "accept") !== "retake";

  async function missing() {
    const have = new Set([...facts.photos.filter((p) => p.verdict !== "retake").map((p) => p.role), ...(await mine()).filter(good).map((i) => i.role)]);
    if (facts.required.length === 1 && have.size) return [];
    return facts.required.filter((r) => !have.has(r));
  }

  async function ask() {
    const left = await missing(), next = chosen || left[0] || facts.required[0] || role.options[0].value;
    role.value = next;
    const n = facts.required.indexOf(next);
    take.textContent = left.length && facts.required.length > 1 && n >= 0 && !chosen ? `Photo ${n + 1} of ${facts.required.length}: ${hints[next]}` : left.length || chosen ? `Photo: ${hints[next]}` : "Take another photo";
    heading.textContent = left.length ? "Photo of " + hints[left[0]] : "Photos";
  }

  function offerRoles() {
    const others = element("details", null, "others"), words = element("summary", "Another photo");
    const buttons = element("p", null, "buttons");
    for (const o of role.options) {
      const b = element("button", o.textContent, "second");
      b.type = "button";
      b.onclick = () => { chosen = o.value; ask().then(() => input.click()) };
      buttons.append(b);
    }
    others.append(words, buttons);
    form.append(others);
  }

  // The phone's own position: asked for separately, since browsers strip it from files.

  let fix, asked;
  function located(p) {
    fix = {latitude: p.coords.latitude, longitude: p.coords.longitude, accuracy_m: Math.round(p.coords.accuracy), at: p.timestamp};
    placed(`Your phone's position is known to ${fix.accuracy_m} m.`);
  }
  function unlocated(e) {
    placed(e.code === 1 ? "Your phone does not tell its position: how far a photo is from the stop stays unknown. That never fails you." : "Your phone does not find its position yet.");
  }
  function placed(words) { place.hidden = false; place.textContent = words }
  function watch() {
    if (asked || !navigator.geolocation) return;
    asked = true;
    navigator.geolocation.watchPosition(located, unlocated, {enableHighAccuracy: true, maximumAge: 15000, timeout: 20000});
  }
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  // fresh is a position of so many seconds, if there is one.
  const fresh = (seconds) => fix && Date.now() - fix.at < seconds * 1000 ? {latitude: fix.latitude, longitude: fix.longitude, accuracy_m: fix.accuracy_m} : null;
  // position waits a few seconds for a position of this minute.
  async function position() {
    watch();
    for (let end = Date.now() + 6000; Date.now() < end && asked && !fresh(60);) {
      if (denied) break;
      await pause(100);
    }
    return fresh(120);
  }
  let denied = !navigator.geolocation;
  if (navigator.permissions && navigator.permissions.query) {
    navigator.permissions.query({name: "geolocation"}).then((p) => {
      const look = () => { denied = p.state === "denied"; if (p.state === "granted") watch(); if (denied) unlocated({code: 1}) };
      p.onchange = look;
      look();
    }).catch(() => {});
  }
  input.addEventListener("click", watch);

  // The check on the phone.

  let worker, able = false;
  const waiting = new Map();
  function load() {
    if (!camera.dataset.check || !camera.dataset.go || !("Worker" in self) || !("OffscreenCanvas" in self)) return unable("Photos are checked when they are on record: the check on the phone is not to be had here.");
    worker = new Worker(camera.dataset.worker);
    worker.onmessage = (e) => {
      const m = e.data;
      if (m.type === "ready") { able = true; camera.dataset.ready = "yes"; setTimeout(warm, 3000) }
      if (m.type === "unable") unable("Photos are checked when they are on record: " + m.why + ".");
      if (m.type === "picture" && m.id === current) { picture = m.picture; paint() }
      if (m.type === "answer" || m.type === "failed") { const done = waiting.get(m.id); waiting.delete(m.id); if (done) done(m) }
    };
    worker.onerror = (e) => { unable("Photos are checked when they are on record."); for (const done of waiting.values()) done({type: "failed", why: e.message}) };
    worker.postMessage({type: "load", wasm: camera.dataset.check, go: camera.dataset.go, checklist: "/driver/checklist"});
  }
  // warm readies the check for its first photo: at a touch, or when the page has long come to rest.
  function warm() { if (worker && able) worker.postMessage({type: "warm"}) }
  camera.addEventListener("pointerdown", warm);
  function unable(words) { able = false; worker = null; app.say("check", words); camera.dataset.ready = "no" }

  function check(item, bytes, type, mine) {
    if (!worker) return null;
    const others = [...facts.photos.map((p) => ({role: p.role, verdict: p.verdict})),
      ...mine.filter((i) => i.kind === "photo" && i.id !== item.id && i.state !== "refused").map((i) => ({role: i.role, verdict: i.local ? i.local.verdict : "accept"}))];
    const upload = {role: item.role, captured_at: item.at, photo_id: item.sha256, tracking_id: id};
    if (item.fix) upload.fix = item.fix;
    const delivery = facts.delivery;
    return new Promise((done) => {
      waiting.set(item.id, done);
      worker.postMessage({type: "check", id: item.id, bytes, media: type, request: {delivery, upload, others}});
    });
  }

  // The verdict, in large type.

  // words go in place of the verdict's own, where there is none yet.
  function verdict(word, advice, source, words) {
    const look = camera.querySelector(`template[data-verdict="${word}"]`);
    const card = element("div", null, "verdict stack " + look.dataset.tone), head = element("p");
    head.append(look.content.cloneNode(true));
    if (words) head.querySelector(".word span").textContent = words;
    card.append(head);
    if (advice) card.append(element("p", advice, "advice"));
    card.append(element("p", source, "source"));
    if (shape) {
      const c = element("canvas");
      [c.width, c.height] = shape;
      c.setAttribute("role", "img");
      c.setAttribute("aria-label", "The photo");
      card.append(c);
    }
    now.replaceChildren(card);
    now.dataset.verdict = word;
    paint();
    return card;
  }
  // paint shows the photo beside its verdict, which does not wait for it.
  function paint() {
    const c = now.querySelector("canvas");
    if (c && picture) c.getContext("2d").drawImage(picture, 0, 0, c.width, c.height);
  }
  // On the phone there is no "review": a photo is kept or taken again.
  const atDoor = (v) => v === "retake" ? "retake" : "accept";

  let current; // id of the photo that the verdict is about
  let picture, shape; // of it, small: its pixels and its width and height

  function byPhone(item) {
    const left = item.local.missing || [];
    const advice = item.local.verdict === "retake" ? item.local.advice : left.length ? "One more photo: " + hints[left[0]] : item.local.advice;
    verdict(atDoor(item.local.verdict), advice, "By your phone. The server's verdict follows and is the one that counts.");
  }

  function byServer(item) {
    const a = item.answer, left = a.missing || [];
    let source = "By the server: this is the one that counts.";
    if (item.local && atDoor(item.local.verdict) !== atDoor(a.verdict)) source = `By the server: this is the one that counts. Your phone said "${item.local.verdict === "retake" ? "take another" : "keep it"}".`;
    const card = verdict(a.verdict, a.verdict !== "retake" && left.length ? "One more photo: " + hints[left[0]] : a.advice, source);
    const link = element("a", "All findings");
    link.href = a.page;
    card.append(link);
    now.dataset.source = "server";
  }

  async function changed() {
    const item = current && await porchlight.item(current);
    if (item && item.state === "kept" && now.dataset.about !== item.id) { now.dataset.about = item.id; byServer(item) }
    if (item && item.state === "refused" && now.dataset.about !== item.id) {
      now.dataset.about = item.id;
      verdict("retake", item.why, "The server refused the photo. It is still on this phone.");
    }
    ask();
    recorded();
  }

  const hex = (buffer) => [...new Uint8Array(buffer)].map((b) => b.toString(16).padStart(2, "0")).join("");

  async function taken(file) {
    const at = new Date(Math.min(Date.now(), file.lastModified || Date.now())).toISOString();
    now.dataset.source = "phone";
    now.dataset.about = "";
    picture = shape = null;
    verdict("", "", "Keeping the photo on this phone.", "One moment");
    const bytes = await file.arrayBuffer(), [sum, before] = await Promise.all([crypto.subtle.digest("SHA-256", bytes), mine()]);
    const sha256 = hex(sum), same = before.find((i) => i.sha256 === sha256 && i.state !== "refused");
    const item = {id: same ? same.id : crypto.randomUUID(), kind: "photo", tracking_id: id, place: address, words: role.options[role.selectedIndex].textContent.split(":")[0] + " photo",
      role: role.value, also: [...form.querySelectorAll("input[name=also]:checked")].map((c) => c.value), name: file.name, size: file.size, sha256, at, fix: fresh(60), holdUntil: Date.now() + 7000};
    current = item.id;
    chosen = "";
    // The check runs while the photo is written. It waits for a position no longer than
    // somebody at a door does; the photo goes up with its position, checked or not.
    const where = item.fix ? Promise.resolve(item.fix) : position();
    const checked = Promise.race([where, pause(1500)]).then((fix) => check(fix ? {...item, fix} : item, bytes, file.type, before));
    if (!same) {
      try {
        await app.put(item, new Blob([bytes], {type: file.type}));
      } catch (e) {
        verdict("retake", "The photo is not kept: " + (e.name === "QuotaExceededError" ? "this phone has no room left. Make room, or connect so that what waits goes up." : e.message), "Nothing that was kept before is lost.");
        return;
      }
    }
    const withPlace = where.then((fix) => fix && !item.fix && porchlight.change(item.id, {fix}));
    const out = await checked, told = {};
    if (out && out.type === "answer") {
      camera.dataset.took = JSON.stringify(out.took);
      const a = out.answer, m = a.measures;
      told.local = {verdict: a.verdict, advice: a.advice || "", missing: a.missing, findings: a.findings};
      if (current === item.id) {
        const share = 160 / Math.max(m.width, m.height);
        shape = [Math.max(1, Math.round(share * m.width)), Math.max(1, Math.round(share * m.height))];
        if (now.dataset.about !== item.id) byPhone(told);
      }
    }
    await withPlace;
    await porchlight.change(item.id, {...told, holdUntil: 0});
    app.flush();
    const late = await porchlight.item(item.id);
    if (!late || current !== item.id) return;
    if (late.state === "kept") { now.dataset.about = item.id; byServer(late) }
    else if (!told.local) verdict("", out ? "This phone cannot open the photo; the server will try." : "", "The photo is kept on this phone. The server's verdict follows.", "Not checked yet");
    ask();
  }

  input.addEventListener("change", () => {
    const file = input.files[0];
    if (!file) return;
    taken(file).catch((e) => verdict("retake", "The photo is not kept: " + e.message, "Nothing that was kept before is lost.")).finally(() => { input.value = "" });
  });
  form.addEventListener("submit", (e) => e.preventDefault());

  // What happened here.

  const happenings = document.getElementById("happenings"), log = document.getElementById("recorded"), timer = document.getElementById("timer");
  happenings.addEventListener("submit", async (e) => {
    e.preventDefault();
    const b = e.submitter;
    const item = {id: crypto.randomUUID(), kind: "event", tracking_id: id, place: address, what: b.value, words: b.textContent, at: new Date().toISOString(), fix: null, holdUntil: Date.now() + 7000};
    try {
      await app.put(item);
    } catch (err) {
      return app.say("event", "That was not recorded: " + err.message);
    }
    app.say("event", "");
    recorded();
    await porchlight.change(item.id, {fix: await position(), holdUntil: 0});
    app.flush();
  });

  async function recorded() {
    for (const i of (await mine()).filter((i) => i.kind === "event")) {
      let li = log.querySelector(`[data-event="${i.id}"]`);
      if (!li) {
        li = element("li");
        li.dataset.event = i.id;
        const time = element("time", new Date(i.at).toLocaleTimeString([], {hour: "numeric", minute: "2-digit", second: "2-digit"}));
        time.dateTime = i.at;
        const when = element("span", null, "when");
        when.append(time);
        li.append(when, element("span", i.words, "words"));
        log.append(li);
      }
      li.dataset.state = i.state;
    }
    tick();
  }

  // The five minutes: text, wait, call, and at the end the app's own prompts.
  let tries = [], called = false, answered = false;
  async function attempts() {
    const events = (await mine()).filter((i) => i.kind === "event");
    const hour = Date.now() - 3600e3;
    tries = [...facts.tried.map((t) => Date.parse(t)), ...events.filter((i) => i.what === "texted" || i.what === "called").map((i) => Date.parse(i.at))].filter((t) => t > hour).sort((a, b) => a - b);
    called = events.some((i) => i.what === "called");
    answered = events.some((i) => i.what === "answered" || i.what === "left");
  }
  const clock = (ms) => { const s = Math.max(0, Math.ceil(ms / 1000)); return Math.floor(s / 60) + ":" + String(s % 60).padStart(2, "0") };
  let ticking, step = "";
  async function tick() {
    clearTimeout(ticking);
    await attempts();
    if (!tries.length || answered) { if (answered) timer.replaceChildren(); return }
    const begun = tries[0], at = Date.now(), call = begun + facts.pause_s * 1000, end = begun + facts.in_all_s * 1000;
    let words, left, next;
    if (at < call && !called) [words, left, next] = ["until you call", call - at, "wait"];
    else if (at < end) [words, left, next] = [called ? "until the five minutes are over" : "left. Call now", end - at, "call"];
    else [words, left, next] = ["The five minutes are over. Follow your app's prompts, and photograph what is in the way.", null, "over"];
    timer.replaceChildren();
    if (left != null) timer.append(element("span", clock(left), "left"), " ");
    timer.append(element("span", words));
    if (next !== step) { step = next; timer.dataset.step = step; if (step !== "wait" && navigator.vibrate && navigator.userActivation && navigator.userActivation.hasBeenActive) navigator.vibrate(300) }
    if (left != null) ticking = setTimeout(tick, 500);
  }

  self.addEventListener("porchlight", (e) => e.detail.type === "queue" && changed());
  if ("BroadcastChannel" in self) new BroadcastChannel("porchlight").onmessage = (e) => e.data.type === "queue" && changed();
  offerRoles();
  ask();
  recorded();
  // After the first paint, when the page has nothing else to do.
  const rest = () => "requestIdleCallback" in self ? requestIdleCallback(load, {timeout: 2000}) : setTimeout(load, 200);
  if (document.readyState === "complete") rest();
  else addEventListener("load", rest);
})();
