// The packages in the folder that is the first argument.

import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules] = process.argv.slice(2);

export const folder = resolve(modules);

export const require = createRequire(join(folder, "here.js"));

// By path, as some packages do not export the module of their decoder.
export const load = (path) => import(pathToFileURL(join(folder, path)));

// For decoders of JSON that are tested below that step. The adapter has its own `JSON.parse`.
export const parseJson = JSON.parse;
export function keepText() {
  JSON.parse = (text) => text;
}
