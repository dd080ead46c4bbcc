import { ROUTES } from '../../shared/api.ts';

/**
 * The script that another site includes to have its pages counted:
 *
 *     <script async src="https://…/embed.js"></script>
 *
 * Written by hand for every browser that has EventSource, since it runs in pages that are not ours. It sets no
 * cookie: the visitor's random number is kept by the page's own site. A native EventSource gives up on any answer
 * but 200, such as 429, so it is opened anew then, at a random moment.
 */
export const embedScript = `(function () {
  'use strict';
  var script = document.currentScript;
  if (!script || !window.EventSource || !window.crypto) return;

  function randomId() {
    var id = '';
    crypto.getRandomValues(new Uint8Array(16)).forEach(function (byte) {
      id += (byte + 256).toString(16).slice(1);
    });
    return id;
  }

  function visitorId() {
    var fresh = randomId();
    try {
      var known = localStorage.getItem('tidings-visitor');
      if (!known) localStorage.setItem('tidings-visitor', fresh);
      return known || fresh;
    } catch (error) {
      return fresh; // Storage is switched off: every load is another visitor.
    }
  }

  var url = new URL('${ROUTES.count}', script.src);
  url.searchParams.set('page', location.pathname);
  url.searchParams.set('view', randomId());
  url.searchParams.set('visitor', visitorId());
  var source;
  var timer;

  function open() {
    close();
    source = new EventSource(url.href);
    source.onerror = function () {
      if (source.readyState !== EventSource.CLOSED) return;
      clearTimeout(timer);
      timer = setTimeout(open, 15000 + Math.random() * 45000);
    };
  }

  function close() {
    clearTimeout(timer);
    if (source) source.close();
  }

  open();
  // A page kept for the back button is not being viewed.
  addEventListener('pagehide', close);
  addEventListener('pageshow', function (event) {
    if (event.persisted) open();
  });
})();
`;
