"use strict";
// Everything that comes from a store is put into the page as text: textContent and nothing else.

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function svg(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function whole(number) {
  return String(number).replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

function moment(seconds) {
  if (!seconds) return "";
  const date = new Date(seconds * 1000);
  return isNaN(date) ? String(seconds) : date.toISOString().slice(0, 19).replace("T", " ");
}

function age(seconds) {
  for (const [size, letter] of [[86400, "d"], [3600, "h"], [60, "min"]])
    if (seconds >= 2 * size) return Math.floor(seconds / size) + " " + letter;
  return Math.max(0, Math.floor(seconds)) + " s";
}

function addressNumber(text) {
  if (!text.includes(":")) return text.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
  const [head, tail] = text.split("::");
  const groups = (side) => (side ? side.split(":") : []);
  const left = groups(head), right = tail === undefined ? [] : groups(tail);
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  return [...left, ...Array(zeros).fill("0"), ...right].reduce((sum, part) => sum * 65536n + BigInt("0x" + part), 0n);
}

function addressText(number, family) {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (number >> shift) & 255n).join(".");
  const groups = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(((number >> shift) & 65535n).toString(16));
  let best = [0, 0];
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === "0") end++;
    if (end - start > best[1]) best = [start, end - start];
  }
  if (best[1] < 2) return groups.join(":");
  return groups.slice(0, best[0]).join(":") + "::" + groups.slice(best[0] + best[1]).join(":");
}

// A cell of a CSV file: quoted, and no formula for a spreadsheet.
function cell(text) {
  const value = String(text);
  return '"' + (/^[=+\-@\t\r]/.test(value) ? "'" + value : value).replace(/"/g, '""') + '"';
}
