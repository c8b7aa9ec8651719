"use strict";
// The picture of one record. Everything shown is made here with textContent: no name is ever read as markup.
(() => {
const data = JSON.parse(document.getElementById("data").textContent);
const isDiff = data.kind === "difference";
const kinds = data.kinds || [];
const byId = (id) => document.getElementById(id);
const MOST_BLOCKS = 1200, ROWS = 100, HITS = 60;
const WORDS = {symlink: "symbolic link", hardlink: "hard link", rest: "not named further", code: "code", data: "data"};

// Text

function unit(amount) {
  if (amount < 1000) return `${amount} B`;
  let value = amount, name = "";
  for (name of ["kB", "MB", "GB"]) { value /= 1000; if (value < 999.5) break; }
  return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${name}`;
}
const exact = (amount) => `${amount.toLocaleString("en")} bytes`;
const signed = (amount) => amount > 0 ? `+${unit(amount)}` : amount < 0 ? `\u2212${unit(-amount)}` : "\u00b10 B";
const percent = (part, whole) => whole ? `${(100 * part / whole).toFixed(part / whole < 0.0995 ? 1 : 0)} %` : "0 %";
const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
// What would steer or turn the text around it is written out.
const plain = (text) => text.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
  (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);

function make(tag, className, text, attributes) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  return element;
}
function fill(element, ...children) { element.replaceChildren(...children); return element; }

// Names break after their slashes.
function broken(element, text) {
  text.split(/(?<=\/)/).forEach((piece, number) => { if (number) element.append(document.createElement("wbr")); element.append(piece); });
  return element;
}

// The tree

function node(name, up) { return {name, up, kids: null, v: [0, 0], was: 0, is: 0, mark: 0, kind: 0, note: "", leaves: 1, hit: 0, order: [null, null]}; }

function grown(raw, up) {
  const one = node(raw[0], up);
  if (Array.isArray(raw[1])) {
    [, , one.note = "", one.kind = 0, one.mark = 0] = raw;
    one.kids = raw[1].map((each) => grown(each, one));
    sum(one);
  } else if (isDiff) {
    [, one.was, one.is, one.mark = 0] = raw;
    one.v = [Math.abs(one.is - one.was), Math.max(one.is, one.was)];
  } else {
    [, , , one.mark = 0, one.kind = 0, one.note = ""] = raw;
    one.v = [raw[1], raw[2]];
  }
  return one;
}
function sum(one) {
  one.v = [0, 0]; one.was = one.is = one.leaves = 0;
  for (const kid of one.kids) {
    one.v[0] += kid.v[0]; one.v[1] += kid.v[1]; one.was += kid.was; one.is += kid.is; one.leaves += kid.leaves;
  }
}
function root(name, kids) {
  const one = node(name, null);
  one.kids = kids; one.isRoot = true;
  for (const kid of kids) kid.up = one;
  sum(one);
  return one;
}
const views = data.views.map((view) => ({
  id: view.id, label: view.label, root: root(view.label, view.below.map((raw) => grown(raw, null))),
}));
if (data.layers) views.push({id: "layers", label: "Layers", root: null});

// Files by the layer that stores them, and what each layer stores that nobody sees.
function layerView() {
  const tops = data.layers.map((layer, number) => {
    const top = node(`layer ${number + 1}`, null);
    top.kids = []; top.isLayer = true; top.note = layer.by; top.layer = number;
    return top;
  });
  const folders = data.layers.map(() => new Map());
  function folder(number, like) {
    if (like.isRoot) return tops[number];
    let made = folders[number].get(like);
    if (!made) {
      const up = folder(number, like.up);
      made = node(like.name, up); made.kids = []; made.kind = like.kind; made.like = like;
      up.kids.push(made); folders[number].set(like, made);
    }
    return made;
  }
  (function visit(one) {
    for (const kid of one.kids) {
      if (kid.kids && kindOf(kid) === "folder") { visit(kid); continue; }
      const number = kid.mark;
      if (!tops[number] || !kid.v[0]) continue;
      const up = folder(number, one);
      up.kids.push(Object.assign(node(kid.name, up), {v: kid.v, mark: number, kind: kid.kind, note: kid.note}));
    }
  })(views[0].root);
  tops.forEach((top, number) => {
    (function total(one) { for (const kid of one.kids) if (kid.kids) total(kid); sum(one); })(top);
    const layer = data.layers[number], left = layer.stored - top.v[0];
    const share = (bytes) => layer.stored ? Math.round(layer.compressed * bytes / layer.stored) : 0;
    if (left > 0) {
      const hidden = node("stored and not shown", top);
      hidden.kids = layer.hidden.map(([path, bytes, why]) =>
        Object.assign(node(path.replace(/^\//, ""), hidden), {v: [bytes, share(bytes)], note: why, isWaste: true, mark: number}));
      const rest = left - hidden.kids.reduce((so, kid) => so + kid.v[0], 0);
      if (rest > 0) hidden.kids.push(Object.assign(node("smaller files", hidden), {v: [rest, share(rest)], isWaste: true, mark: number}));
      hidden.isWaste = true; sum(hidden); top.kids.push(hidden);
    }
    sum(top);
    // The archive's own headers are compressed with the files.
    top.v[1] = layer.compressed;
  });
  return root("Layers", tops);
}

const kindOf = (one) => kinds[one.kind] || "file";
const isPath = () => view().id !== "packages";
function parts(one) { const names = []; for (let n = one; n && !n.isRoot; n = n.up) if (!n.isMore) names.unshift(n.name); return names; }
function full(one) {
  if (one.isMore) return `${one.name} of ${full(one.up)}`;
  const kind = kindOf(one);
  if (one.isRoot) return one.name;
  if (data.kind === "binary" || (isDiff && !isPath())) {
    return kind === "code" || kind === "data" ? `${one.up.name}.${one.name}` : kind === "rest" ? `${one.name} of ${one.up.name}` : one.name;
  }
  if (!isPath() || isDiff === false && ["module", "package", "sections", "section"].includes(kind)) return one.name;
  if (view().id === "layers") return parts(one).length < 2 ? one.name : `${parts(one)[0]}: /${parts(one).slice(1).join("/")}`;
  return `/${parts(one).join("/")}`;
}
function label(one) {
  const above = one.up && !one.up.isRoot ? one.up.name : "";
  return above && one.name.startsWith(`${above}/`) ? `\u2026${one.name.slice(above.length)}` : one.name;
}
function ordered(one) {
  if (!one.kids) return [];
  const by = state.by;
  return one.order[by] || (one.order[by] = [...one.kids].sort((a, b) => b.v[by] - a.v[by] || (a.name < b.name ? -1 : 1)));
}
// The end of a path tells more than its beginning.
function fitted(name, room) {
  if (name.length <= room) return name;
  for (let at = name.indexOf("/", 1); at > 0; at = name.indexOf("/", at + 1))
    if (name.length - at + 2 <= room) return `\u2026${name.slice(at)}`;
  const last = name.slice(name.lastIndexOf("/") + 1) || name;
  return last.length <= room ? last : `${last.slice(0, Math.max(room - 2, 2))}\u2026`;
}
const MARKS = {added: "+", removed: "\u2212"};
function sign(one) {
  if (!isDiff) return "";
  const change = ["", "added", "removed", "changed"][one.mark];
  if (!one.kids && MARKS[change]) return MARKS[change];
  const by = one.is - one.was;
  return by > 0 ? "\u25b2" : by < 0 ? "\u25bc" : "\u2260";
}
function shade(one) {
  const by = one.is - one.was;
  return by > 0 ? "grow" : by < 0 ? "shrink" : "same";
}
const figure = (one) => isDiff ? signed(one.is - one.was) : unit(one.v[state.by]);
const more = (kids, from, up) => {
  const one = node(`${kids.length.toLocaleString("en")} more`, up);
  one.kids = kids; one.isMore = true; one.from = from; sum(one);
  return one;
};

// State: which view, which measure, where, what is searched; the fragment of the address has all of it.

const state = {view: 0, by: 0, at: null, find: "", sort: "size", down: true, rows: ROWS, filter: ""};
const view = () => {
  const one = views[state.view];
  if (!one.root) one.root = layerView();
  return one;
};
function written() {
  const names = [];
  for (let one = state.at; one && !one.isRoot; one = one.up)
    names.unshift(one.isMore ? `*${one.from}` : encodeURIComponent(one.name).replace(/\*/g, "%2A"));
  const fields = [`view=${views[state.view].id}`];
  if (state.by) fields.push("by=1");
  if (names.length) fields.push(`at=${names.join("/")}`);
  if (state.find) fields.push(`find=${encodeURIComponent(state.find)}`);
  return `#${fields.join("&")}`;
}
function readFragment() {
  const fields = new Map(location.hash.slice(1).split("&").map((field) => {
    const at = field.indexOf("=");
    return [field.slice(0, at), field.slice(at + 1)];
  }));
  const decode = (text) => { try { return decodeURIComponent(text); } catch { return text; } };
  const number = views.findIndex((one) => one.id === fields.get("view"));
  state.view = number < 0 ? 0 : number;
  state.by = fields.get("by") === "1" ? 1 : 0;
  state.find = decode(fields.get("find") || "");
  let at = view().root;
  for (const part of (fields.get("at") || "").split("/").filter(Boolean)) {
    let next;
    if (/^\*\d+$/.test(part)) {
      const kids = ordered(at).slice(Number(part.slice(1)));
      next = kids.length ? more(kids, Number(part.slice(1)), at) : null;
    } else next = at.kids && at.kids.find((kid) => kid.name === decode(part));
    if (!next || !next.kids) break;
    at = next;
  }
  state.at = at;
}
let own = "";
function keep(isStep) {
  const text = written();
  if (text === location.hash) return;
  own = text;
  if (isStep) location.hash = text; else location.replace(text);
}
addEventListener("hashchange", () => {
  // A part of the page around the map is no place in it.
  if (location.hash === own || (location.hash && !location.hash.startsWith("#view="))) return;
  readFragment(); search(); draw();
});

function go(one, focus) {
  if (!one.kids) return;
  state.at = one; state.rows = ROWS; state.filter = byId("filter").value = "";
  keep(true); draw();
  if (focus) focusBlock(focus === true ? null : focus);
}
function up() {
  const from = state.at;
  if (from.up) go(from.up, from);
}

// Search

let hits = [];
function search() {
  const words = state.find.trim().toLowerCase();
  hits = [];
  let bytes = 0;
  const inPaths = words.includes("/");
  (function visit(one, above, inside) {
    one.hit = inside ? 2 : 0;
    const name = one.name.toLowerCase();
    const path = inPaths && isPath() ? `${above}/${name}` : "";
    if (words && !inside && !one.isRoot && (name.includes(words) || path.includes(words))) {
      one.hit = 2; hits.push(one); bytes += isDiff ? one.is - one.was : one.v[state.by];
    }
    for (const kid of one.kids || []) {
      visit(kid, one.isRoot ? "" : path, one.hit === 2);
      if (kid.hit && !one.hit) one.hit = 1;
    }
  })(view().root, "", false);
  if (byId("search").value !== state.find) byId("search").value = state.find;
  byId("results").hidden = !words;
  if (!words) return;
  hits.sort((a, b) => b.v[state.by] - a.v[state.by]);
  byId("found").textContent = `${hits.length.toLocaleString("en")} found, ${isDiff ? signed(bytes) : unit(bytes)}`
    + (hits.length > HITS ? `; the ${HITS} largest:` : hits.length ? ":" : "");
  fill(byId("hits"), ...hits.slice(0, HITS).map((one) => {
    const item = make("li"), button = make("button", "hit-button", undefined, {type: "button"});
    button.append(broken(make("span", "hit-name"), plain(full(one))), make("span", "hit-size", `${sign(one)} ${figure(one)}`.trim()));
    button.addEventListener("click", () => one.kids ? go(one, true) : go(one.up, one));
    item.append(button);
    return item;
  }));
}

// Map

// Squarified treemap: rows of nearly square boxes. Source: Bruls, Huizing, van Wijk (2000).
function squarify(items, box, place) {
  let {x, y, w, h} = box, at = 0;
  let left = items.reduce((so, item) => so + item.area, 0);
  const worst = (low, high, total, side) => Math.max(side * side * high / (total * total), total * total / (side * side * low));
  while (at < items.length && w > 0 && h > 0) {
    const side = Math.min(w, h);
    let end = at, total = 0, best = Infinity;
    while (end < items.length) {
      const next = total + items[end].area;
      const ratio = worst(items[end].area, items[at].area, next, side);
      if (ratio > best) break;
      best = ratio; total = next; end += 1;
    }
    const isLast = end === items.length;
    const thick = isLast ? Math.max(w, h) : Math.min(Math.max(w, h), total / side * ((w * h) / left || 1));
    let along = 0;
    for (let n = at; n < end; n += 1) {
      const length = n === end - 1 ? side - along : side * items[n].area / total;
      place(items[n].one, w >= h ? {x, y: y + along, w: thick, h: length} : {x: x + along, y, w: length, h: thick});
      along += length;
    }
    if (w >= h) { x += thick; w -= thick; } else { y += thick; h -= thick; }
    left -= total; at = end;
  }
}
// The largest as boxes of their own; all that would be too small to see or hit together in one.
function chosen(one, box, least) {
  const by = state.by, kids = ordered(one), area = box.w * box.h, whole = one.kids.reduce((so, kid) => so + kid.v[by], 0);
  if (!whole) return [];
  const scale = area / whole;
  let count = 0;
  while (count < kids.length && kids[count].v[by] * scale >= least) count += 1;
  let some = 0;
  while (some < kids.length && kids[some].v[by] > 0) some += 1;
  let rest = 0;
  for (let n = count; n < some; n += 1) rest += kids[n].v[by];
  // A small rest takes its small neighbours in; beside large ones it is drawn as large as can be hit.
  while (rest > 0 && count > 0 && rest * scale < least && kids[count - 1].v[by] * scale < 3 * least) { count -= 1; rest += kids[count].v[by]; }
  const restArea = rest > 0 ? Math.min(area, Math.max(rest * scale, 0.6 * least, Math.min(10 * Math.min(box.w, box.h), 0.1 * area))) : 0;
  const fit = rest > 0 && count ? (area - restArea) / (area - rest * scale) : 1;
  const items = kids.slice(0, count).map((kid) => ({one: kid, area: Math.max(kid.v[by] * scale * fit, 1)}));
  if (rest > 0) {
    const item = {one: some - count === 1 ? kids[count] : more(kids.slice(count), count, one), area: restArea};
    items.splice(items.findIndex((each) => each.area < item.area) >>> 0, 0, item);
  }
  return items;
}

let blocks = [], drawn = "";
function drawMap() {
  const map = byId("map"), w = map.clientWidth, h = map.clientHeight;
  drawn = `${w}x${h}`;
  blocks = [];
  const made = document.createDocumentFragment();
  const least = Math.max(isDiff ? 520 : 190, w * h / MOST_BLOCKS);
  function lay(one, box, depth, hue) {
    squarify(chosen(one, box, least), box, (kid, where) => {
      const tone = depth ? hue : blocks.filter((each) => !each.depth).length;
      let inner = kid, name = label(kid);
      // A folder with one folder in it is one box.
      while (!kid.isMore && inner.kids && inner.kids.length === 1 && inner.kids[0].kids) {
        inner = inner.kids[0];
        if (inner.name !== inner.up.name) name += inner.name.startsWith(`${inner.up.name}/`) ? inner.name.slice(inner.up.name.length) : isPath() ? `/${inner.name}` : `, ${inner.name}`;
      }
      const isOpen = inner.kids && !inner.isMore && where.w > 64 && where.h > 52 && where.w * where.h > 5 * least && depth < 8
        && chosen(inner, {w: where.w - 6, h: where.h - 24}, least).length > 1;
      const block = {one: inner, shown: kid, name, box: where, depth, isOpen, tone};
      made.append(element(block));
      blocks.push(block);
      if (isOpen) lay(inner, {x: where.x + 3, y: where.y + 21, w: where.w - 6, h: where.h - 24}, depth + 1, tone);
    });
  }
  if (w > 20 && h > 20) lay(state.at, {x: 0, y: 0, w, h}, 0, 0);
  map.replaceChildren(made);
  map.classList.toggle("searching", Boolean(state.find.trim()));
  if (!blocks.length) map.append(make("p", "empty", isDiff ? "Nothing changed here." : "There are no bytes here."));
  else blocks[0].element.tabIndex = 0;
}
function element(block) {
  const {one, box} = block;
  const button = make("button", "block", undefined, {type: "button", tabindex: "-1"});
  const classes = [`depth${Math.min(block.depth, 4)}`];
  if (block.isOpen) classes.push("open");
  if (one.isMore) classes.push("more");
  if (box.w < 14) classes.push("slim");
  if (isDiff) classes.push(shade(one));
  else if (one.isWaste) classes.push("waste");
  else if (["sections", "section"].includes(kindOf(one)) || one.isMore && kindOf(one.kids[0]) === "section") classes.push("grey");
  else classes.push(`tone${block.tone % 8}`);
  if (one.hit === 2 || one.hit === 1 && !block.isOpen || one.isMore && one.kids.some((kid) => kid.hit)) classes.push("hit");
  button.classList.add(...classes);
  const style = button.style, w = Math.max(1, box.w - 1.5), h = Math.max(1, box.h - 1.5);
  style.left = `${box.x}px`; style.top = `${box.y}px`; style.width = `${w}px`; style.height = `${h}px`;
  const name = plain(block.name), lead = isDiff ? `${sign(one)} ` : classes.includes("hit") && state.find.trim() ? "\u25c6 " : "";
  // About 6.7 pixels a letter, 7.4 in bold; fewer than four letters say nothing.
  const room = Math.floor((w - 10) / (block.isOpen ? 7.4 : 6.7)) - lead.length, size = figure(one);
  if (block.isOpen || h < 34) {
    if (h >= 15 && room >= 4) {
      const hasSize = room > Math.min(name.length, 14) + size.length + 2;
      button.append(make("span", "name", lead + fitted(name, hasSize ? room - size.length - 1 : room)));
      if (hasSize) button.append(" ", make("span", "size", size));
    } else if (isDiff) button.append(make("span", "sign", sign(one)));
  } else if (room >= 4) {
    button.classList.add("tall");
    button.append(make("span", "name", lead + fitted(name, room)));
    if (room + lead.length >= size.length) button.append(" ", make("span", "size", size));
  } else if (isDiff) button.append(make("span", "sign", sign(one)));
  // What is heard has what is seen in it, so that it can be asked for by voice.
  const heard = lead + spoken(one), seen = button.textContent;
  button.setAttribute("aria-label", heard.includes(seen) ? heard : `${seen}; ${heard}`);
  button.setAttribute("aria-describedby", "tip");
  button.addEventListener("click", () => press(block));
  button.addEventListener("focus", () => { focusable(block); tell(block); });
  button.addEventListener("blur", hush);
  button.addEventListener("pointerenter", () => tell(block));
  button.addEventListener("pointerleave", hushSoon);
  block.element = button;
  return button;
}
const CHANGE = {"\u25b2": "grown", "\u25bc": "shrunk", "\u2260": "changed, of equal size", "+": "new", "\u2212": "gone"};
function spoken(one) {
  const words = [`${plain(full(one))} ${figure(one)}`];
  if (isDiff) words.push(CHANGE[sign(one)]);
  else words.push(`${percent(one.v[state.by], state.at.v[state.by])} of ${plain(state.at.name)}`);
  if (one.kids) words.push(`${counted(one.kids.length, "item")} inside`);
  return words.join(", ");
}
function press(block) {
  const {one} = block;
  if (one.kids) go(one, true);
  else if (block.depth) go(one.up, one);
  else tell(block);
}
function focusable(block) {
  for (const each of blocks) each.element.tabIndex = each === block ? 0 : -1;
}
function focusBlock(one) {
  const within = (each) => { for (let n = one; n; n = n.up) if (n === each.one || n === each.shown) return true; return false; };
  const block = one && (blocks.filter((each) => each.one === one || each.shown === one)[0]
    || blocks.filter((each) => each.one.isMore && each.one.kids.includes(one))[0] || blocks.filter(within).pop()) || blocks[0];
  if (block) { focusable(block); block.element.focus({preventScroll: false}); }
}
// The nearest box in the direction of the arrow, of those that are not around or inside this one.
function neighbour(from, key) {
  const middle = ({box}) => [box.x + box.w / 2, box.y + box.h / 2];
  const [dx, dy] = {ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1]}[key];
  const [x, y] = middle(from);
  const same = blocks.filter((each) => each !== from && each.shown.up === from.shown.up);
  const reach = (list) => list.map((each) => {
    const [ox, oy] = middle(each), along = (ox - x) * dx + (oy - y) * dy;
    return {each, along, far: along + 2 * Math.abs((ox - x) * dy + (oy - y) * dx)};
  }).filter((each) => each.along > 1).sort((a, b) => a.far - b.far);
  const around = (each) => { for (let n = from.shown; n; n = n.up) if (n === each.one) return true; return false; };
  const found = reach(same)[0] || reach(blocks.filter((each) => each !== from && !each.isOpen && !around(each)))[0];
  return found && found.each;
}
byId("map").addEventListener("keydown", (event) => {
  const block = blocks.find((each) => each.element === document.activeElement);
  if (event.key === "Backspace") { event.preventDefault(); up(); return; }
  if (!block) return;
  if (event.key === "Escape") { hush(); return; }
  if (event.key === "Home" || event.key === "End") {
    event.preventDefault();
    (event.key === "Home" ? blocks[0] : blocks[blocks.length - 1]).element.focus();
  } else if (event.key.startsWith("Arrow")) {
    event.preventDefault();
    const next = neighbour(block, event.key);
    if (next) next.element.focus();
  }
});
document.addEventListener("keydown", (event) => {
  const isTyping = /^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName);
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); byId("search").focus(); }
  if (event.key === "Escape") hush();
});

// Tooltip: at the box, by pointer and by focus; Escape takes it away.

let hushing = 0;
function tell({one, box, element: button}) {
  clearTimeout(hushing);
  const tip = byId("tip"), lines = [];
  const line = (text, className) => lines.push(make("p", className, text));
  line(plain(full(one)), "tip-name");
  if (isDiff) {
    line(`${sign(one)} ${signed(one.is - one.was)}, ${CHANGE[sign(one)]}`);
    line(`${exact(one.was)} before, ${exact(one.is)} after`);
  } else {
    line(`${exact(one.v[0])} ${data.measures[0]}`);
    line(`about ${exact(one.v[1])} compressed`);
    line(`${percent(one.v[state.by], state.at.v[state.by])} of ${state.at.isRoot ? "all" : plain(state.at.name)}`);
    const kind = kindOf(one);
    if (data.layers && kind === "file" && data.layers[one.mark] && !one.kids && !one.isLayer)
      line(`layer ${one.mark + 1}: ${plain(data.layers[one.mark].by || data.layers[one.mark].digest).slice(0, 160)}`);
    else if (WORDS[kind] && !one.kids) line(WORDS[kind]);
  }
  if (one.note) line(plain(one.note).slice(0, 240));
  if (one.kids) line(`${counted(one.leaves, "name")} inside`);
  fill(tip, ...lines).hidden = false;
  const map = byId("map").getBoundingClientRect(), x = map.left + box.x, y = map.top + box.y;
  const size = tip.getBoundingClientRect(), gap = 6;
  let top = y + box.h + gap;
  if (top + size.height > innerHeight) top = Math.max(gap, y - size.height - gap);
  if (box.h > innerHeight / 2) top = Math.min(innerHeight - size.height - gap, Math.max(gap, y + 26));
  tip.style.left = `${Math.max(gap, Math.min(x, document.documentElement.clientWidth - size.width - gap))}px`;
  tip.style.top = `${top}px`;
}
function hush() { clearTimeout(hushing); byId("tip").hidden = true; }
function hushSoon() { clearTimeout(hushing); hushing = setTimeout(hush, 250); }
byId("tip").addEventListener("pointerenter", () => clearTimeout(hushing));
byId("tip").addEventListener("pointerleave", hush);
addEventListener("scroll", hush, {passive: true});

// Place, table, switches

function drawPlace() {
  const way = [];
  for (let one = state.at; one; one = one.up) way.unshift(one);
  fill(byId("crumbs"), ...way.map((one, number) => {
    const item = make("li"), isHere = number === way.length - 1;
    const name = number ? plain(label(one)) : "All", text = name.length > 90 ? `${name.slice(0, 89)}\u2026` : name;
    if (isHere) item.append(make("span", "", text, {"aria-current": "location"}));
    else {
      const button = make("button", "crumb", text, {type: "button"});
      button.addEventListener("click", () => go(one, way[number + 1]));
      item.append(button);
    }
    return item;
  }));
  const one = state.at, words = [isDiff ? `${signed(one.is - one.was)} (${unit(one.was)} before, ${unit(one.is)} after)` : `${unit(one.v[state.by])} ${data.measures[state.by]}`];
  words.push(counted(one.kids.length, isDiff ? "changed item" : "item"));
  if (one.isLayer && one.note) words.push(plain(one.note));
  byId("here").textContent = words.join(", ");
}
const columns = isDiff
  ? [["name", "Name"], ["size", "Change"], ["was", "Before"], ["is", "After"]]
  : [["name", "Name"], ["size", data.measures[0]], ["other", data.measures[1]], ["share", "Share"]];
const VALUES = {
  name: (one) => one.name.toLowerCase(),
  size: (one) => isDiff ? Math.abs(one.is - one.was) : one.v[0],
  other: (one) => one.v[1], share: (one) => one.v[state.by], was: (one) => one.was, is: (one) => one.is,
};
function drawTable() {
  fill(byId("head"), ...columns.map(([id, title]) => {
    const cell = make("th", id === "name" ? "" : `number ${id}`, undefined, {scope: "col"});
    cell.setAttribute("aria-sort", state.sort !== id ? "none" : state.down ? "descending" : "ascending");
    const button = make("button", "sort", title, {type: "button"});
    button.append(make("span", "arrow", state.sort !== id ? "" : state.down ? " \u2193" : " \u2191", {"aria-hidden": "true"}));
    button.addEventListener("click", () => {
      state.down = state.sort === id ? !state.down : id !== "name";
      state.sort = id; drawTable();
      byId("head").children[columns.findIndex(([each]) => each === id)].firstChild.focus();
    });
    cell.append(button);
    return cell;
  }));
  const words = state.filter.trim().toLowerCase(), value = VALUES[state.sort], way = state.down ? -1 : 1;
  const list = state.at.kids.filter((one) => !words || one.name.toLowerCase().includes(words))
    .sort((a, b) => (value(a) < value(b) ? -way : value(a) > value(b) ? way : 0) || (a.name < b.name ? -1 : 1));
  const whole = state.at.v[state.by], largest = Math.max(1, ...list.slice(0, 1).map(() => list.reduce((so, one) => Math.max(so, one.v[state.by]), 0)));
  fill(byId("rows"), ...list.slice(0, state.rows).map((one) => {
    const row = make("tr"), head = make("th", "", undefined, {scope: "row"});
    const text = (isDiff ? `${sign(one)} ` : "") + plain(label(one)) + (one.kids && kindOf(one) === "folder" ? "/" : "");
    if (one.kids) {
      const button = broken(make("button", "row", undefined, {type: "button", title: plain(full(one))}), text);
      button.addEventListener("click", () => go(one, true));
      head.append(button);
    } else head.append(broken(make("span", "", undefined, {title: plain(one.note ? `${full(one)}: ${one.note}` : full(one))}), text));
    row.append(head);
    const cell = (id, content, amount) => row.append(make("td", `number ${id}`, content, amount === undefined ? {} : {title: exact(amount)}));
    if (isDiff) {
      cell("size", signed(one.is - one.was), one.is - one.was); cell("was", unit(one.was), one.was); cell("is", unit(one.is), one.is);
      row.className = shade(one);
    } else {
      cell("size", unit(one.v[0]), one.v[0]); cell("other", unit(one.v[1]), one.v[1]);
      const share = make("td", "number share", percent(one.v[state.by], whole)), bar = make("span", "bar", "", {"aria-hidden": "true"});
      bar.style.width = `${100 * one.v[state.by] / largest}%`;
      share.prepend(bar); row.append(share);
    }
    return row;
  }));
  byId("caption").textContent = `${state.at.isRoot ? view().label : plain(full(state.at))}: ${counted(list.length, "row")}${words ? " that fit the filter" : ""}`;
  const left = list.length - state.rows;
  byId("more").hidden = left <= 0;
  byId("more").textContent = `Show ${Math.min(left, 5 * ROWS).toLocaleString("en")} of ${left.toLocaleString("en")} more`;
}
function choices(box, names, chosenOne, choose) {
  fill(box, ...names.map((name, number) => {
    const option = make("button", "option", name, {type: "button", role: "radio", "aria-checked": String(number === chosenOne), tabindex: number === chosenOne ? "0" : "-1"});
    option.addEventListener("click", () => { choose(number); });
    option.addEventListener("keydown", (event) => {
      const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
      if (!step) return;
      event.preventDefault();
      choose((number + step + names.length) % names.length);
      box.querySelector("[aria-checked=true]").focus();
    });
    return option;
  })).hidden = names.length < 2;
}
function drawSwitches() {
  choices(byId("views"), views.map((one) => one.label), state.view, (number) => {
    state.view = number; state.at = view().root; state.rows = ROWS;
    keep(true); search(); draw();
  });
  choices(byId("measures"), data.measures, state.by, (number) => { state.by = number; keep(false); search(); draw(); });
}
function draw() { hush(); drawSwitches(); drawPlace(); drawMap(); drawTable(); }

let waiting = 0;
byId("search").addEventListener("input", (event) => {
  state.find = event.target.value;
  clearTimeout(waiting);
  waiting = setTimeout(() => { keep(false); search(); drawMap(); }, 120);
});
byId("search").addEventListener("keydown", (event) => {
  if (event.key === "Escape") { event.target.value = state.find = ""; keep(false); search(); drawMap(); }
});
byId("filter").addEventListener("input", (event) => { state.filter = event.target.value; state.rows = ROWS; drawTable(); });
byId("more").addEventListener("click", () => { state.rows += 5 * ROWS; drawTable(); });

// What stands above and below the map

function table(titles, rows, numbers) {
  const whole = make("table"), head = make("tr");
  head.append(...titles.map((title, number) => make("th", numbers.includes(number) ? "number" : "", title, {scope: "col"})));
  const body = make("tbody");
  body.append(...rows.map((cells) => {
    const row = make("tr");
    row.append(...cells.map((cell, number) => {
      const one = make("td", numbers.includes(number) ? "number" : "");
      if (cell instanceof Node) one.append(cell); else one.textContent = plain(String(cell));
      return one;
    }));
    return row;
  }));
  const top = make("thead");
  top.append(head); whole.append(top, body);
  const scroll = make("div", "scroll");
  scroll.append(whole);
  return scroll;
}
function section(title, ...content) {
  const one = make("section", "", undefined, {"aria-label": title});
  one.append(make("h2", "", title), ...content);
  byId("sections").append(one);
}
const SEVERITIES = {error: "\u2716 error", warning: "\u25b2 warning", info: "i info"};
// One heading for each kind of finding, the worst first; long lists are folded.
function findings(title, list) {
  if (!list || !list.length) return;
  const groups = new Map();
  for (const one of list) {
    const key = `${one.severity} ${one.id}`;
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(one);
  }
  const lines = (some) => {
    const box = make("ul", "places");
    box.append(...some.map((one) => make("li", "", plain(one.message) + (one.layer ? ` (layer ${one.layer})` : ""))));
    return box;
  };
  const order = ["error", "warning", "info"], box = make("ul", "findings");
  const sorted = [...groups.values()].sort((a, b) => order.indexOf(a[0].severity) - order.indexOf(b[0].severity));
  box.append(...sorted.map((group) => {
    const item = make("li"), {severity, id} = group[0], head = make("p"), hints = new Set(group.map((one) => one.hint));
    head.append(make("span", `severity ${severity}`, SEVERITIES[severity] || severity), " ", make("code", "", id), group.length > 1 ? ` \u00d7 ${group.length}` : "");
    item.append(head, lines(group.slice(0, 3)));
    if (group.length > 3) {
      const details = make("details");
      details.append(make("summary", "", `${group.length - 3} more`), lines(group.slice(3)));
      item.append(details);
    }
    for (const hint of hints) if (hint) item.append(make("p", "hint", plain(hint)));
    return item;
  }));
  section(title, box);
}
function layers() {
  const most = Math.max(1, ...data.layers.map((layer) => layer.stored));
  const list = make("ol", "layers");
  data.layers.forEach((layer, number) => {
    const item = make("li"), bar = make("span", "stack", "", {"aria-hidden": "true"});
    const shown = make("span", "shown"), hidden = make("span", "hidden-part");
    shown.style.width = `${100 * (layer.stored - layer.wasted) / most}%`;
    hidden.style.width = `${100 * layer.wasted / most}%`;
    bar.append(shown, hidden);
    const [added, changed, removed] = layer.files;
    item.append(make("p", "by", plain(layer.by) || layer.digest, {title: layer.digest}), bar, make("p", "figures",
      `${unit(layer.stored)} stored, ${unit(layer.wasted)} wasted, ${unit(layer.compressed)} compressed; `
      + `${added.toLocaleString("en")} added, ${changed.toLocaleString("en")} changed, ${removed.toLocaleString("en")} removed`));
    const details = make("details"), rows = (list) => list.map(([path, bytes, why]) => [path, unit(bytes), ...(why ? [why] : [])]);
    details.append(make("summary", "", "Largest files" + (layer.hidden.length ? " and what is wasted" : "")));
    details.append(table(["largest files", "stored"], rows(layer.largest), [1]));
    if (layer.hidden.length) details.append(table(["stored and not shown", "wasted", "why"], rows(layer.hidden), [1]));
    const button = make("button", "look", "Show in the map", {type: "button", "aria-label": `Show in the map: layer ${number + 1}`});
    button.addEventListener("click", () => {
      state.view = views.findIndex((one) => one.id === "layers");
      search(); drawSwitches(); go(view().root.kids[number], true);
    });
    if (layer.stored) item.append(button, details);
    list.append(item);
  });
  section("Layers, the lowest first", list);
}
function frame() {
  byId("title").textContent = plain(data.title);
  byId("about").textContent = plain(data.about);
  const fact = (name, value, title) => {
    const box = make("div");
    box.append(make("dt", "", name), make("dd", "", value, title ? {title} : {}));
    return box;
  };
  const facts = isDiff
    ? data.facts.map(([name, was, is]) => fact(name, `${is > was ? "\u25b2" : is < was ? "\u25bc" : "="} ${signed(is - was)}`, `${exact(was)} before, ${exact(is)} after`))
    : data.facts.map(([name, bytes]) => fact(name, unit(bytes), exact(bytes)));
  if (data.efficiency !== undefined) facts.push(fact("efficiency", `${(100 * data.efficiency).toFixed(1)} %`, ""));
  fill(byId("facts"), ...facts);
  if (isDiff) {
    const signs = [["\u25b2", "grow", "grown"], ["+", "grow", "new"], ["\u25bc", "shrink", "shrunk"], ["\u2212", "shrink", "gone"], ["\u2260", "same", "changed, of equal size"]];
    fill(byId("legend"), ...signs.map(([mark, className, word]) => {
      const item = make("li");
      item.append(make("span", `swatch ${className}`, mark, {"aria-hidden": "true"}), word);
      return item;
    })).hidden = false;
  }
  if (data.budgets && data.budgets.length) section("Budgets", table(["result", "budget", "why"], data.budgets.map(([name, ok, text]) => [ok ? "\u2713 kept" : "\u2716 exceeded", name, text]), []));
  if (data.layers) layers();
  findings("Findings", data.findings);
  findings("New findings", data.new_findings);
  findings("Findings that are gone", data.gone_findings);
  if (data.dependencies && data.dependencies.length) section("Dependencies", table(["change", "name", "before", "after"],
    data.dependencies.map(([name, kind, was, is]) => [was ? is ? "\u2260 changed" : "\u2212 gone" : "+ new", kind === "module" ? name : `${name} (${kind})`, was || "\u2013", is || "\u2013"]), []));
  if (data.settings && data.settings.length) section("Settings", table(["setting", "before", "after"], data.settings.map(([name, was, is]) => [name, was || "\u2013", is || "\u2013"]), []));
  if (data.deltas && data.deltas.length) section("Layers, compressed", table(["layer", "change", "before", "after"],
    data.deltas.map(([name, was, is]) => [name, `${is > was ? "\u25b2" : is < was ? "\u25bc" : "="} ${signed(is - was)}`, unit(was), unit(is)]), [1, 2, 3]));
  if (data.duplicates && data.duplicates.length) section("Equal contents at different paths", table(["too many", "copies", "paths"],
    data.duplicates.map(([bytes, copies, paths]) => [unit(bytes), copies, paths.join("\n")]), [0, 1]));
}

readFragment(); frame(); search(); draw();
// Paper is narrower than most screens: the map is drawn again for it, and all that opens by a click is open.
let shut = [];
addEventListener("beforeprint", () => {
  shut = [...document.querySelectorAll("details:not([open])")];
  for (const one of shut) one.open = true;
  byId("map").classList.add("printed");
  drawMap();
});
addEventListener("afterprint", () => {
  for (const one of shut) one.open = false;
  byId("map").classList.remove("printed");
  drawMap();
});
let timer = 0;
new ResizeObserver(() => {
  const map = byId("map");
  if (`${map.clientWidth}x${map.clientHeight}` === drawn) return;
  cancelAnimationFrame(timer);
  timer = requestAnimationFrame(drawMap);
}).observe(byId("map"));
document.documentElement.dataset.ready = "yes";
})();
