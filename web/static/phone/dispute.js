// A dispute's page: its text to the clipboard, or with its photos to another app.
"use strict";
(() => {
  const subject = document.getElementById("subject").textContent, body = document.getElementById("body").textContent;
  const copy = document.getElementById("copy"), share = document.getElementById("share"), said = document.getElementById("said");
  if (navigator.clipboard) {
    copy.hidden = false;
    copy.onclick = () => navigator.clipboard.writeText(subject + "\n\n" + body).then(() => { said.textContent = "Copied." }, () => { said.textContent = "Your browser does not let the page copy." });
  }
  async function files() {
    return Promise.all([...document.querySelectorAll("[data-photo]")].map(async (a, n) => {
      const r = await fetch(a.href);
      if (!r.ok) throw new Error("a photo cannot be loaded");
      const b = await r.blob();
      return new File([b], "photo-" + (n + 1) + (b.type === "image/png" ? ".png" : ".jpg"), {type: b.type});
    }));
  }
  if (navigator.canShare && navigator.canShare({title: "", text: "", files: [new File(["x"], "x.jpg", {type: "image/jpeg"})]})) {
    share.hidden = false;
    share.onclick = async () => {
      try {
        await navigator.share({title: subject, text: body, files: await files()});
      } catch (e) {
        if (e.name !== "AbortError") said.textContent = "That was not shared: " + e.message;
      }
    };
  }
})();
