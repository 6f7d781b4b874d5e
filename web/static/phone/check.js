// The worker in which the check on the phone runs: the browser decodes the photo here, the
// server's own code, as WebAssembly, measures and judges it. The page stays free meanwhile.
"use strict";
let ready;

// load fetches the check once; about says where it is.
async function load(about) {
  importScripts(about.go);
  const go = new Go();
  const started = new Promise((done) => { self.porchlightReady = done });
  const fetched = await fetch(about.wasm);
  if (!fetched.ok) throw new Error("the check cannot be loaded: " + fetched.status);
  const {instance} = await WebAssembly.instantiateStreaming(fetched, go.importObject);
  go.run(instance);
  await started;
  let list = "";
  try {
    const r = await fetch(about.checklist, {redirect: "manual"});
    if (r.ok) list = await r.text();
  } catch { /* offline and never seen: the built-in one */ }
  setTimeout(() => warm(list), 0);
  return list;
}

// warm has the browser compile what a photo will need before there is one: a picture of
// noise is judged, and the answer is of no interest.
function warm(list) {
  const width = 640, height = 480, pixels = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < pixels.length; i += 4) pixels.fill((i * 2654435761 >>> 24) & 255, i, i + 4);
  porchlightCheck(JSON.stringify({delivery: {tracking_id: "none"}, upload: {role: "placement", captured_at: new Date().toISOString()}, others: [], checklist: list, now: new Date().toISOString()}), pixels, width, height, new Uint8Array(0));
}

async function check({bytes, media, request}) {
  const list = await ready;
  const begun = performance.now();
  const picture = await createImageBitmap(new Blob([bytes], {type: media}), {imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none"});
  const {width, height} = picture, decoded = performance.now();
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", {willReadFrequently: true, alpha: false});
  context.drawImage(picture, 0, 0);
  picture.close();
  const pixels = context.getImageData(0, 0, width, height).data, read = performance.now();
  const answer = JSON.parse(porchlightCheck(JSON.stringify({...request, checklist: list, now: new Date().toISOString()}), pixels, width, height, new Uint8Array(bytes)));
  if (answer.error) throw new Error(answer.error);
  const small = new OffscreenCanvas(Math.round(160 * Math.min(1, width / height)), Math.round(160 * Math.min(1, height / width)));
  small.getContext("2d").drawImage(canvas, 0, 0, small.width, small.height);
  return {answer, picture: small.transferToImageBitmap(), took: {decode: decoded - begun, read: read - decoded, check: performance.now() - read, all: performance.now() - begun}};
}

self.onmessage = async (e) => {
  if (e.data.type === "load") {
    ready = load(e.data);
    ready.then(() => postMessage({type: "ready"}), (err) => postMessage({type: "unable", why: err.message}));
    return;
  }
  try {
    const out = await check(e.data);
    postMessage({type: "answer", id: e.data.id, ...out}, [out.picture]);
  } catch (err) {
    postMessage({type: "failed", id: e.data.id, why: err.message});
  }
};
