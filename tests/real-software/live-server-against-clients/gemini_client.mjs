// The package @google/genai as a client for check.py: prints the text of each part of an answer and how the stream ended, one
// JSON object per line. Arguments: the folder it is installed in, and the base URL.

import { createRequire } from "node:module";

const [folder, baseUrl] = process.argv.slice(2);
const { GoogleGenAI } = createRequire(`${folder}/`)("@google/genai");

const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);
const client = new GoogleGenAI({ apiKey: "-", httpOptions: { baseUrl } });
try {
  for await (const part of await client.models.generateContentStream({ model: "-", contents: "-" })) {
    tell({ text: part.text });
  }
  tell({ end: null });
} catch (error) {
  tell({ end: error.message });
}
