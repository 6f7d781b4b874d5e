// Keys for the agents' pages. Every page works without this script: a key does nothing
// that a link, a button or a field of the page does not do.
//
//   data-key="p"    the element's key: it is clicked, or a field focused
//   data-does="..." what the key does, for the list that ? shows
//   data-row        the link of a row: j and k go to the next and the one before
//   data-refresh    seconds after which the element's contents are loaded anew
(() => {
  'use strict';
  const off = 'porchlight.keys.off';
  const rows = () => [...document.querySelectorAll('[data-row]')];

  function move(step) {
    const all = rows();
    if (!all.length) return;
    const here = all.indexOf(document.activeElement);
    const to = here < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + step, 0), all.length - 1);
    all[to].focus();
    all[to].scrollIntoView({ block: 'nearest' });
  }

  // Elements of the page that have a key, the first of each key.
  function keyed() {
    const out = new Map();
    for (const e of document.querySelectorAll('[data-key]')) {
      if (!out.has(e.dataset.key) && !e.disabled && e.getClientRects().length) out.set(e.dataset.key, e);
    }
    return out;
  }

  function press(e) {
    if (e.matches('input:not([type=submit]), textarea, select')) {
      e.focus();
      if (e.select) e.select();
    } else {
      e.click();
    }
  }

  function row(list, key, does) {
    const dt = document.createElement('dt');
    const kbd = document.createElement('kbd');
    kbd.textContent = key;
    dt.append(kbd);
    const dd = document.createElement('dd');
    dd.textContent = does;
    list.append(dt, dd);
  }

  function help() {
    const dialog = document.createElement('dialog');
    dialog.className = 'keys';
    dialog.setAttribute('aria-labelledby', 'keys-title');
    const title = document.createElement('h2');
    title.id = 'keys-title';
    title.textContent = 'Keys on this page';
    const list = document.createElement('dl');
    if (rows().length) {
      row(list, 'j', 'Next row');
      row(list, 'k', 'Row before');
      row(list, 'Enter', 'Open the row');
    }
    for (const [key, e] of keyed()) row(list, key, e.dataset.does || e.textContent.trim());
    row(list, '?', 'This list');
    const label = document.createElement('label');
    label.className = 'choice';
    const box = document.createElement('input');
    box.type = 'checkbox';
    box.checked = !localStorage.getItem(off);
    box.addEventListener('change', () => (box.checked ? localStorage.removeItem(off) : localStorage.setItem(off, '1')));
    label.append(box, ' Use these keys (? always works)');
    const close = document.createElement('button');
    close.type = 'button';
    close.textContent = 'Close';
    close.addEventListener('click', () => dialog.close());
    dialog.append(title, list, label, close);
    dialog.addEventListener('close', () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing) return;
    if (document.querySelector('dialog[open]')) return;
    const at = event.target;
    const typing = at.isContentEditable || at.matches('textarea, select, input:not([type=checkbox], [type=radio], [type=submit], [type=button])');
    if (typing) {
      if (event.key === 'Escape') at.blur();
      return;
    }
    if (event.key === '?') {
      event.preventDefault();
      help();
      return;
    }
    if (localStorage.getItem(off)) return;
    if (event.key === 'j' || event.key === 'k') {
      event.preventDefault();
      move(event.key === 'j' ? 1 : -1);
      return;
    }
    const e = keyed().get(event.key);
    if (e) {
      event.preventDefault();
      press(e);
    }
  });

  // A part of the page that changes by itself is loaded anew until it says no more that it does.
  function refresh(part) {
    const seconds = Number(part.dataset.refresh);
    if (!seconds) return;
    setTimeout(async () => {
      let next = part;
      try {
        const answer = await fetch(location.href, { headers: { Accept: 'text/html' } });
        if (answer.ok) {
          const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById(part.id);
          if (fresh) {
            part.replaceWith(fresh);
            next = fresh;
          }
        }
      } catch {
        // The network is away: the next round asks again.
      }
      refresh(next);
    }, seconds * 1000);
  }
  document.querySelectorAll('[data-refresh]').forEach(refresh);

  // A line that says that there are keys, where there is a keyboard to press them on.
  if (matchMedia('(hover: hover)').matches) {
    const hint = document.createElement('button');
    hint.type = 'button';
    hint.className = 'plain keyhint';
    hint.textContent = 'Keys: ?';
    hint.addEventListener('click', help);
    document.querySelector('.top nav')?.prepend(hint);
  }
})();
