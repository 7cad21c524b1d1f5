// The class `EventSource` of the standard. The driver, a separate process, sends what happens; this file has the parts that
// need JavaScript: the class itself, its constants, event objects and listeners.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const STATES = { CONNECTING: 0, OPEN: 1, CLOSED: 2 };

// Returns the class for a page at `location`, a URL. `program` is the driver: one process for all sources.
export function eventSourceOf(location, program) {
  const driver = spawn(program, { stdio: ["pipe", "pipe", "inherit"] });
  driver.on("exit", (code, signal) => {
    throw new Error(`the driver ended: ${signal ?? code}`);
  });
  const sources = [];
  const tell = (command) => driver.stdin.write(`${JSON.stringify(command)}\n`);
  createInterface({ input: driver.stdout }).on("line", (line) => {
    const { source, ...report } = JSON.parse(line);
    sources[source](report);
  });

  class EventSource extends EventTarget {
    #number;
    #url;
    #withCredentials;
    #readyState = STATES.CONNECTING;
    #handlers = {};

    constructor(url, { withCredentials = false } = {}) {
      super();
      try {
        this.#url = new URL(url, location).href;
      } catch {
        throw new DOMException(`${url} is not a valid URL`, "SyntaxError");
      }
      this.#withCredentials = Boolean(withCredentials);
      this.#number = sources.push((report) => this.#handle(report)) - 1;
      tell({
        open: this.#number,
        url: this.#url,
        withCredentials: this.#withCredentials,
        origin: location.origin,
      });
    }

    get url() {
      return this.#url;
    }

    get withCredentials() {
      return this.#withCredentials;
    }

    get readyState() {
      return this.#readyState;
    }

    close() {
      this.#readyState = STATES.CLOSED;
      tell({ close: this.#number });
    }

    #handle({ type, readyState, event, ...fields }) {
      // The driver may have written this before it read the `close` command.
      if (this.#readyState === STATES.CLOSED) return;
      if (type === "message") {
        this.dispatchEvent(new MessageEvent(event, fields));
      } else {
        this.#readyState = readyState;
        this.dispatchEvent(new Event(type));
      }
    }

    static {
      for (const type of ["open", "message", "error"]) {
        Object.defineProperty(this.prototype, `on${type}`, {
          configurable: true,
          enumerable: true,
          get() {
            return this.#handlers[type] ?? null;
          },
          set(handler) {
            if (!(type in this.#handlers)) {
              this.addEventListener(type, (event) => this.#handlers[type]?.call(this, event));
            }
            this.#handlers[type] = typeof handler === "function" ? handler : null;
          },
        });
      }
      for (const [name, value] of Object.entries(STATES)) {
        Object.defineProperty(this, name, { enumerable: true, value });
        Object.defineProperty(this.prototype, name, { enumerable: true, value });
      }
    }
  }
  return EventSource;
}
