/* Pages opened from a folder (file://) may start no worker, which the search needs: run its script in a hidden frame. */
"use strict";

if (location.protocol === "file:") {
  window.Worker = class FrameWorker extends EventTarget {
    constructor(address) {
      super();
      const url = new URL(address, document.baseURI).href;
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.title = "search";
      this.waiting = [];
      this.ready = new Promise((resolve) => {
        window.addEventListener("message", (event) => {
          if (event.source !== frame.contentWindow) return;
          if (event.data && event.data.frameWorker === "ready") return resolve(frame.contentWindow);
          const message = new MessageEvent("message", { data: event.data });
          this.dispatchEvent(message);
          if (typeof this.onmessage === "function") this.onmessage(message);
        });
      });
      // in the frame: `postMessage` goes to the page, what the page posts arrives as a worker's message does
      frame.srcdoc = `<!doctype html><script>
        const page = window.parent;
        window.postMessage = (data) => page.postMessage(data, "*");
        window.importScripts = (...addresses) => Promise.all(addresses.map((one) => new Promise((done, failed) => {
          const script = document.createElement("script");
          script.src = one; script.onload = done; script.onerror = failed;
          document.head.append(script);
        })));
        <\/script><base href="${url}"><script src="${url}"><\/script>
        <script>page.postMessage({ frameWorker: "ready" }, "*")<\/script>`;
      document.documentElement.append(frame);
    }

    postMessage(data) {
      this.ready.then((target) => target.dispatchEvent(new target.MessageEvent("message", { data })));
    }

    terminate() {}
  };
}
