// Runs in the browser before the scripts of the live page and reports what its EventSource receives.
// check.py inserts it, with TYPES (the event types to listen to) and REPORT (the URL to report to).

{
  const found = [];
  let sending = false;

  // One request at a time, so that reports arrive in order.
  async function send() {
    if (sending) return;
    sending = true;
    while (found.length) {
      await fetch(REPORT, { method: "POST", mode: "no-cors", body: JSON.stringify(found.splice(0)) });
    }
    sending = false;
  }

  function tell(what) {
    found.push(what);
    send();
  }

  window.EventSource = class extends EventSource {
    constructor(...args) {
      super(...args);
      for (const type of new Set([...TYPES, "open", "error"])) {
        this.addEventListener(type, (event) => {
          if (event instanceof MessageEvent) {
            tell({ event: event.type, data: event.data, id: event.lastEventId });
            // Deferred, so that the page handles the event first.
            if (event.data === "look") setTimeout(look);
          } else if (type === "open") tell({ open: true });
          else tell({ error: this.readyState });
        });
      }
    }
  };

  async function look() {
    const text = (id) => document.getElementById(id).textContent;
    const picture = document.getElementById("picture");
    while (!picture.naturalWidth) await new Promise((resume) => setTimeout(resume, 10));
    tell({
      page: {
        state: text("state"),
        id: text("id"),
        opened: text("opened"),
        clients: text("clients"),
        bytes: text("bytes"),
        picture: [picture.naturalWidth, picture.naturalHeight],
        log: [...document.querySelectorAll("#log li")].map((item) => [
          item.querySelector("b").textContent,
          item.querySelector("span").textContent,
        ]),
        forged: document.querySelectorAll("#log i").length,
      },
    });
  }
}
