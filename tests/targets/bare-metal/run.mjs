// Runs wasm.rs: node run.mjs FILE. Fails unless everything passed.
import { readFileSync } from "node:fs";

const wasm = new WebAssembly.Module(readFileSync(process.argv[2]));
const print = (text, length) =>
  process.stdout.write(new Uint8Array(exports.memory.buffer, text, length));
const { exports } = new WebAssembly.Instance(wasm, { env: { print } });
process.exitCode = exports.run() === 1 ? 0 : 1;
