// The console's page. No library: it asks the JSON below /api and draws what it is told.

const EVERY = 5000; // ms between two looks, as often as the console itself looks
const content = document.getElementById("content");
const byId = (id) => document.getElementById(id);

// --- building elements: text is always text, never markup ---

function el(name, attributes = {}, ...children) {
  const svg = ["svg", "path", "title"].includes(name) && attributes !== null && attributes.svg;
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "svg") continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== false));
  return node;
}

function table(caption, columns, rows) {
  return el("table", {},
    caption && el("caption", {}, caption),
    el("thead", {}, el("tr", {}, columns.map(([title, n]) => el("th", { class: n && "n", scope: "col" }, title)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell, at) =>
      el("td", { class: columns[at][1] && "n", "data-label": columns[at][0] }, el("span", {}, cell)))))));
}

const tag = (text, kind) => el("span", { class: `tag ${kind}` }, text);
const number = (value) => (value == null ? "–" : value.toLocaleString("en"));
const rate = (value) => (value == null ? "–" : `${value < 10 ? value.toFixed(1) : Math.round(value)}/s`);
const seconds = (value) => (value == null ? "–" : value < 1 ? `${(value * 1000).toPrecision(3)} ms` : `${value.toPrecision(3)} s`);

function ago(moment) {
  if (!moment) return "–";
  const passed = Math.max(0, (Date.now() - new Date(moment)) / 1000);
  const [size, unit] = passed < 60 ? [1, "s"] : passed < 3600 ? [60, "min"] : passed < 86400 ? [3600, "h"] : [86400, "d"];
  return el("time", { datetime: moment, title: moment }, `${Math.floor(passed / size)} ${unit} ago`);
}

// --- asking ---

const token = () => sessionStorage.getItem("token");
let acting = false;

async function ask(path, body) {
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  const options = body === undefined ? { headers } : {
    method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  let answer;
  try {
    answer = await fetch(`api/${path}`, options);
  } catch {
    throw new Error("the console does not answer: is it still running?");
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.error || `the console answered ${answer.status}`);
  return told;
}

function say(text) {
  const said = byId("said");
  said.textContent = text;
  said.hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { said.hidden = true; }, 8000);
}

function problem(text) {
  byId("problem").textContent = text || "";
  byId("problem").hidden = !text;
}

// --- asking back ---

function dialog(id) {
  const box = byId(id);
  box.returnValue = "cancel";
  box.showModal();
  return new Promise((done) => box.addEventListener("close", () => done(box.returnValue === "ok"), { once: true }));
}

async function enterToken() {
  byId("token-input").value = "";
  if (await dialog("token-dialog")) {
    sessionStorage.setItem("token", byId("token-input").value.trim());
    showToken();
    show();
  }
}

function showToken() {
  byId("token").textContent = token() ? "Change token" : "Enter token";
}

async function act(title, text, button, work) {
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  byId("confirm-ok").textContent = button;
  if (!(await dialog("confirm-dialog"))) return;
  try {
    await work();
  } catch (error) {
    say(`Refused: ${error.message}`);
  }
}

async function follow(job) {
  while (job.state === "running") {
    say(`${job.what}: ${number(job.done)} done`);
    await new Promise((later) => setTimeout(later, 400));
    job = await ask(`jobs/${job.id}`);
  }
  const rest = [job.gone && `${number(job.gone)} gone already`, job.refused && `${number(job.refused)} refused: ${job.refusals[0]}`, job.error];
  say([`${job.what}: ${job.state}, ${number(job.done)} done`, ...rest.filter(Boolean)].join("; "));
  return job;
}

function action(text, kind, run) {
  const why = acting ? null : "Acting is off: start the console with GLAM_CONSOLE_TOKEN set";
  return el("button", { type: "button", class: kind, disabled: !acting, title: why, onclick: run }, text);
}

// --- the pages ---

async function handlersPage(told) {
  const rows = told.handlers.map((one) => [
    el("a", { href: `#/handler/${encodeURIComponent(one.service)}/${encodeURIComponent(one.handler)}` }, one.handler),
    one.service, state(one), rate(one.rate), number(one.pending + one.pending_lane), number(one.in_flight),
    number(one.parked), number(one.letters), ago(one.last_activity),
  ]);
  const columns = [["Handler"], ["Service"], ["State"], ["Rate", true], ["Lag", true], ["In flight", true], ["Parked", true], ["Dead letters", true], ["Last activity"]];
  return [
    ...told.notes.map((note) => el("p", { class: "warn" }, note)),
    rows.length ? table("Handlers", columns, rows) : el("p", {}, "No worker has run here yet."),
    table("Streams", [["Stream"], ["Messages", true], ["MiB", true], ["Trouble"]], told.streams.map((one) => [
      one.name, number(one.messages), (one.bytes / 1048576).toFixed(1), one.trouble.join("; ") || "none"])),
  ];
}

function state(one) {
  if (one.paused) return tag(one.paused_for == null ? "paused" : `paused, ${Math.ceil(one.paused_for / 60)} min left`, "warn");
  if (one.drift.length) return tag("drift", "warn");
  if (one.workers === "none seen") return tag("no worker", one.pending ? "bad" : "quiet");
  return tag("working", "good");
}

async function handlerPage(told, service, handler) {
  const path = `handlers/${encodeURIComponent(service)}/${encodeURIComponent(handler)}`;
  const { handler: one, samples } = await ask(path);
  const timed = samples.some((sample) => sample.p50 != null);
  const name = `${one.handler} of ${one.service}`;
  const change = async (verb, body) => { await ask(`${path}/${verb}`, body); say(`${name}: ${verb}d`); show(); };
  return [
    el("div", { class: "card" },
      el("h2", {}, one.handler, " ", state(one)),
      el("dl", {}, ...facts([
        ["Service", one.service], ["Subject", one.subject], ["Stream", one.stream],
        ["Waiting", `${number(one.pending)} events, ${number(one.pending_lane)} retries and replays that are due`],
        ["In flight", `${number(one.in_flight)}, of which ${number(one.redelivered)} were handed out before`],
        ["Parked", number(one.parked)],
        ["Dead letters", el("a", { href: `#/letters/${encodeURIComponent(one.handler)}` }, number(one.letters))],
        ["Drift", one.drift.join("; ") || "none"],
      ])),
      el("p", { class: "buttons start" }, one.paused
        ? action("Resume", "main", () => act("Resume?", `${name} gets events again, in all of its workers.`, "Resume", () => change("resume", {})))
        : action("Pause", "", () => act("Pause?", `${name} gets no event until it is resumed, in all of its workers.`, "Pause", () => change("pause", {}))))),
    el("div", { class: "charts" },
      chart("Rate", samples, ["rate"], rate), chart("Lag", samples, ["lag"], number),
      timed ? chart("Latency, p50 and p99", samples, ["p50", "p99"], seconds)
        : el("p", { class: "quiet" }, "Latency is known to the workers only: start the console with --metrics http://HOST:9464/metrics for each of them.")),
  ];
}

const facts = (pairs) => pairs.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);

function chart(title, samples, keys, text) {
  const known = samples.filter((sample) => sample[keys[0]] != null);
  const last = known.at(-1);
  const until = samples.at(-1)?.at ?? 0;
  const most = Math.max(...known.flatMap((sample) => keys.map((key) => sample[key] ?? 0)), 1e-9);
  const x = (at) => Math.max(0, 600 - ((until - at) / 3600) * 600);
  const line = (key) => known.filter((sample) => sample[key] != null)
    .map((sample, at) => `${at ? "L" : "M"}${x(sample.at).toFixed(1)} ${(104 - (sample[key] / most) * 96).toFixed(1)}`).join("");
  const now = last ? keys.map((key) => text(last[key])).join(" · ") : "–";
  const label = `${title} over the last hour: now ${now}, at most ${text(known.length ? most : null)}`;
  return el("figure", { class: "card" },
    el("figcaption", {}, el("strong", {}, title), `now ${now}, most ${text(known.length ? most : null)}`),
    el("svg", { svg: true, class: "chart", viewBox: "0 0 600 112", preserveAspectRatio: "none", role: "img", "aria-label": label },
      keys.map((key, at) => el("path", { svg: true, d: line(key) && `${line(key)}h0`, class: at ? "second" : "first" }))));
}

async function lettersPage(told, handler) {
  const found = await ask(`groups${handler ? `?handler=${encodeURIComponent(handler)}` : ""}`);
  const title = handler ? `Dead letters of ${handler}` : "Dead letters";
  if (!found.groups.length) return [el("h2", {}, title), el("p", { class: "good" }, "There are none.")];
  const rows = found.groups.map((one) => [
    el("a", { href: `#/group/${encodeURIComponent(one.group)}` }, one.error || one.reason || "unknown"),
    one.handler || "–", tag(one.reason || "unknown", one.reason === "crashed" ? "bad" : "warn"),
    one.error_message, number(one.count), ago(one.first_seen), ago(one.last_seen),
  ]);
  return [
    el("h2", {}, `${title}: ${number(found.letters)}`),
    table("Failures that are alike", [["Error"], ["Handler"], ["Reason"], ["For example"], ["Letters", true], ["First"], ["Last"]], rows),
  ];
}

async function groupPage(told, group) {
  const found = await ask(`groups/${encodeURIComponent(group)}`);
  const [first] = found.letters;
  const all = found.count === 1 ? "1 letter" : `${number(found.count)} letters`;
  return [
    el("div", { class: "card" },
      el("h2", {}, first.error || first.reason || "Dead letters"),
      el("p", {}, first.error_message),
      el("p", { class: "quiet" }, `${all} of ${first.handler}; the newest ${number(found.letters.length)} are shown.`),
      el("p", { class: "buttons start" }, ...working({ group }, all, first.handler, () => { location.hash = "#/letters"; }))),
    table("Letters", [["Letter"], ["Subject"], ["Event"], ["Attempts", true], ["Failed"], ["Replayed before"]], found.letters.map((one) => [
      el("a", { href: `#/letter/${encodeURIComponent(one.id)}` }, one.id), one.subject, one.event_id || "–",
      number(one.attempts), ago(one.failed_at), one.replayed ? "yes" : "no"])),
  ];
}

function working(chosen, what, handler, after) {
  const run = (verb) => async () => { await follow(await ask(verb, chosen)); after(); };
  return [
    action("Replay", "main", () => act("Replay?", `${what} will run again in ${handler}, and in no other handler of the subject.`, "Replay", run("replay"))),
    action("Drop", "bad", () => act("Drop?", `${what} will be deleted for good. Export first what may be needed: glam-worker dlq export.`, "Drop", run("drop"))),
  ];
}

async function letterPage(told, id) {
  const one = await ask(`letters/${encodeURIComponent(id)}`);
  const payload = one.payload === null ? new TextDecoder().decode(Uint8Array.from(atob(one.body_base64), (c) => c.charCodeAt(0))) : JSON.stringify(one.payload, null, 2);
  const back = () => { location.hash = `#/group/${encodeURIComponent(one.group)}`; };
  return [
    el("div", { class: "card" },
      el("h2", {}, one.id),
      el("dl", {}, ...facts([
        ["Reason", one.reason || "not said"], ["Error", [one.error, one.error_message].filter(Boolean).join(": ") || "–"],
        ["Handler", `${one.handler || "–"} of ${one.service || "–"}`], ["Subject", one.subject],
        ["Origin", one.stream ? `${one.stream}:${one.sequence}` : "–"], ["Event id", one.event_id || "–"],
        ["Correlation id", one.correlation_id || "–"], ["Attempts", number(one.attempts)], ["Failed", ago(one.failed_at)],
        ["Failed alike", el("a", { href: `#/group/${encodeURIComponent(one.group)}` }, one.group)],
      ])),
      el("p", { class: "buttons start" }, ...working({ letter: one.id }, `Letter ${one.id}`, one.handler, back))),
    ...one.past.map((past) => el("p", { class: "quiet" }, `Failed before: ${past.reason}, ${past.error}, at ${past.failed_at}`)),
    el("h3", {}, "Payload"), el("pre", { tabindex: "0" }, payload || "(empty)"),
    one.traceback && [el("h3", {}, "Traceback"), el("pre", { tabindex: "0" }, one.traceback)],
    el("h3", {}, "Headers"),
    el("pre", { tabindex: "0" }, Object.entries(one.headers).map(([name, value]) => `${name}: ${value}`).join("\n") || "(none)"),
  ].flat();
}

const PAGES = { "": handlersPage, handler: handlerPage, letters: lettersPage, group: groupPage, letter: letterPage };

// --- showing ---

let shown = "";

async function show() {
  const [name, ...parts] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
  const page = PAGES[name] || handlersPage;
  const asked = location.hash;
  try {
    const told = await ask("overview");
    acting = told.acting;
    byId("token").hidden = !acting;
    byId("server").textContent = told.server_version ? `nats-server ${told.server_version}` : "";
    byId("letter-count").textContent = told.letters ? number(told.letters) : "";
    const nodes = await page(told, ...parts);
    if (asked !== location.hash) return;
    problem(told.problem && `What is shown may be old: ${told.problem}`);
    put(nodes, asked);
  } catch (error) {
    if (asked !== location.hash) return;
    problem(error.message);
    if (shown !== asked) put([], asked);
  }
}

function put(nodes, asked) {
  const moved = shown !== asked;
  const focused = moved ? -1 : [...content.querySelectorAll("a, button, pre")].indexOf(document.activeElement);
  content.replaceChildren(...nodes);
  if (focused >= 0) content.querySelectorAll("a, button, pre")[focused]?.focus();
  if (moved && shown) { content.focus(); window.scrollTo(0, 0); }
  shown = asked;
  const letters = /^#\/(letters|group|letter)(\/|$)/.test(asked);
  for (const link of document.querySelectorAll("nav a")) {
    if ((link.dataset.page === "letters") === letters) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

byId("token").addEventListener("click", enterToken);
window.addEventListener("hashchange", show);
setInterval(() => {
  const live = !location.hash || /^#\/?($|handler\/)/.test(location.hash);
  if (live && !document.hidden && !document.querySelector("dialog[open]")) show();
}, EVERY);
showToken();
show();
