"use strict";
// Says so when the page is old, and shows the next one. The page is whole without it.
(function () {
  const LIMIT = 5 * 60 * 1000;
  const RELOAD = 30 * 1000;
  const time = document.getElementById("written");
  const written = Date.parse(time.dateTime);
  const key = "invoice-watcher:" + location.pathname;

  // A clock that is wrong: behind, when the page comes from its future; ahead, when an "old" page was renewed under our
  // eyes. By how much is remembered, as long as this tab is open.
  let known = {};
  try { known = JSON.parse(sessionStorage.getItem(key)) || {}; } catch { /* no storage: the clock is believed */ }
  let skew = known.skew || 0;
  const age = Date.now() - written;
  const renewed = known.written < written && Date.now() - known.looked < LIMIT;
  if (age < skew || (renewed && age - skew > LIMIT)) skew = age;

  function look() {
    const stale = Date.now() - written - skew > LIMIT;
    document.getElementById("stale").hidden = !stale;
    document.documentElement.classList.toggle("is-stale", stale);
    try {
      sessionStorage.setItem(key, JSON.stringify({ written: written, looked: Date.now(), skew: skew }));
    } catch { /* as above */ }
  }

  // Not while somebody marks text, to copy it.
  function reload() {
    if (String(getSelection())) setTimeout(reload, RELOAD);
    else location.reload();
  }

  if (!time.dataset.last) {
    look();
    setInterval(look, 5000);
  }
  setTimeout(reload, RELOAD);
})();
