// What do closures over JSON.parse cost, as somebody writes them who has no framework?
// Usage: node detect.mjs FILE N SHARED EXPECTED, with one payload a line; prints the nanoseconds of CPU time for a change.
// No packages. Started by `cargo bench -p event-detector --bench detect`.

import { readFileSync } from "node:fs";

const [file, n, shared, expected] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const texts = readFileSync(file, "utf8").split("\n");

const detectors = Array.from({ length: n }, (_, i) => {
  const status = `status ${String(Math.floor(i / shared)).padStart(5, "0")}`;
  return (payload) =>
    payload.table.name === "moves" &&
    payload.event.op === "UPDATE" &&
    payload.event.data.old.status !== payload.event.data.new.status &&
    payload.event.data.new.status === status;
});

function pass() {
  let count = 0;
  for (const text of texts) {
    const payload = JSON.parse(text);
    const matches = [];
    for (let i = 0; i < detectors.length; i++) {
      if (detectors[i](payload)) matches.push(i);
    }
    count += matches.length;
  }
  return count;
}

function passesFor(milliseconds) {
  const start = process.cpuUsage();
  for (let passes = 1; ; passes++) {
    const count = pass();
    if (count !== expected) throw new Error(`${count} matches instead of ${expected}`);
    const { user, system } = process.cpuUsage(start);
    if (user + system >= milliseconds * 1000) return ((user + system) * 1000) / passes / texts.length;
  }
}

passesFor(300); // Until the compiler has seen it often enough.
console.log(passesFor(300));
