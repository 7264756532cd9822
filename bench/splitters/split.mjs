// Cuts the text of a file as often as is asked for, and tells on a line of JSON for each round how many milliseconds it
// took and how many pieces came of it. A line on standard input begins a round.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { RecursiveCharacterTextSplitter } from "@langchain/textsplitters";

const [path, chunkSize, chunkOverlap] = process.argv.slice(2);
const text = readFileSync(path, "utf8");
const splitter = new RecursiveCharacterTextSplitter({ chunkSize: Number(chunkSize), chunkOverlap: Number(chunkOverlap) });
for await (const _ of createInterface({ input: process.stdin })) {
  const start = performance.now();
  const pieces = await splitter.splitText(text);
  console.log(JSON.stringify({ milliseconds: performance.now() - start, pieces: pieces.length }));
}
