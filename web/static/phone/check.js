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
  return list;
}

// warm has the browser compile what a photo will need before there is one: a picture of
// noise is judged, and the answer is of no interest.
let warmed = false;
function warm(list) {
  if (warmed) return;
  warmed = true;
  const width = 640, height = 480, size = width * height, pixels = new Uint8Array(size * 3 / 2);
  for (let i = 0; i < pixels.length; i++) pixels[i] = i * 2654435761 >>> 24;
  const planes = [{offset: 0, stride: width}, {offset: size, stride: width / 2}, {offset: size * 5 / 4, stride: width / 2}];
  const now = new Date().toISOString(), request = {delivery: {tracking_id: "none"}, upload: {role: "placement", captured_at: now}, others: [], checklist: list, now};
  porchlightCheck(JSON.stringify({...request, picture: {width, height, format: "I420", planes}}), pixels, new Uint8Array(0));
}

// decoded is the photo's pixels and how they lie. A JPEG's luma and chroma are taken as they
// are stored where the browser gives them so, which is many times faster than by way of a
// canvas, and the check turns them as the file's metadata says.
async function decoded(bytes, type) {
  return await frame(bytes, type).catch(() => null) || canvas(bytes, type);
}

async function frame(bytes, type) {
  if (type !== "image/jpeg" || !("ImageDecoder" in self)) return null;
  const decoder = new ImageDecoder({data: new Uint8Array(bytes), type, colorSpaceConversion: "none"});
  try {
    const {image} = await decoder.decode();
    try {
      const {format, colorSpace, visibleRect: r} = image;
      if (!["I420", "I422", "I444"].includes(format) || !colorSpace.fullRange || colorSpace.matrix !== "smpte170m") return null;
      const pixels = new Uint8Array(image.allocationSize()), planes = await image.copyTo(pixels);
      return {pixels, picture: {width: r.width, height: r.height, format, planes}};
    } finally { image.close() }
  } finally { decoder.close() }
}

async function canvas(bytes, type) {
  const bitmap = await createImageBitmap(new Blob([bytes], {type}), {imageOrientation: "from-image", colorSpaceConversion: "none", premultiplyAlpha: "none"});
  const {width, height} = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true, alpha: false});
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return {pixels: context.getImageData(0, 0, width, height).data, picture: {width, height, format: "", planes: []}};
}

async function check({bytes, media, request}) {
  const list = await ready;
  warmed = true;
  const begun = performance.now();
  const {pixels, picture} = await decoded(bytes, media), read = performance.now();
  const answer = JSON.parse(porchlightCheck(JSON.stringify({...request, picture, checklist: list, now: new Date().toISOString()}), pixels, new Uint8Array(bytes)));
  if (answer.error) throw new Error(answer.error);
  return {answer, took: {decode: read - begun, check: performance.now() - read, all: performance.now() - begun, by: picture.format || "canvas"}};
}

// thumbnail is the photo upright and small, for the page to show.
function thumbnail({bytes, media}, {width, height}) {
  const share = 160 / Math.max(width, height);
  return createImageBitmap(new Blob([bytes], {type: media}), {imageOrientation: "from-image", resizeQuality: "medium",
    resizeWidth: Math.max(1, Math.round(share * width)), resizeHeight: Math.max(1, Math.round(share * height))});
}

self.onmessage = async (e) => {
  if (e.data.type === "load") {
    ready = load(e.data);
    ready.then(() => postMessage({type: "ready"}), (err) => postMessage({type: "unable", why: err.message}));
    return;
  }
  if (e.data.type === "warm") {
    ready.then(warm, () => {}); // the page knows by now that there is no check
    return;
  }
  try {
    const out = await check(e.data);
    postMessage({type: "answer", id: e.data.id, ...out});
    const picture = await thumbnail(e.data, out.answer.measures).catch(() => null); // there is a verdict without it
    if (picture) postMessage({type: "picture", id: e.data.id, picture}, [picture]);
  } catch (err) {
    postMessage({type: "failed", id: e.data.id, why: err.message});
  }
};
