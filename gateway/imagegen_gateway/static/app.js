// The page: asks for a picture, watches it being made, shows what there is. Text only ever goes in by textContent.

const $ = (id) => document.getElementById(id);
const FINAL = new Set(["JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED"]);
const PHASES = {
  PHASE_PREPARING: "preparing", PHASE_WAITING: "waiting for the backend", PHASE_LOADING_MODEL: "loading the model",
  PHASE_ENCODING: "reading the prompt", PHASE_SAMPLING: "painting", PHASE_DECODING: "developing",
  PHASE_PROCESSING: "working", PHASE_SAVING: "saving",
};
const STATES = {
  JOB_STATE_QUEUED: "waiting in the queue", JOB_STATE_RUNNING: "starting", JOB_STATE_CANCELLING: "being cancelled",
  JOB_STATE_SUCCEEDED: "done", JOB_STATE_FAILED: "failed", JOB_STATE_CANCELLED: "cancelled", JOB_STATE_EXPIRED: "expired",
};
const EVENTS = [
  "snapshot", "state_changed", "queue_updated", "attempt_started", "attempt_failed", "model_loading", "phase_changed",
  "progress", "preview", "output_ready", "warning", "updated", "completed", "reset",
];
const REASONS = {
  WAIT_REASON_NO_BACKEND: "no backend is there for it", WAIT_REASON_PAUSED: "paused", WAIT_REASON_QUEUE_PAUSED: "the queue is paused",
  WAIT_REASON_RETRY_DELAY: "trying again in a moment", WAIT_REASON_OWNER_LIMIT: "waiting for another of your jobs",
};

let watched = null; // { id, state, source, lastId, timer, attempt, outputs }

async function call(method, path, body, headers = {}) {
  const response = await fetch(path, {
    method,
    headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  }).catch(() => { throw new Error("the gateway cannot be reached"); });
  const answer = await response.json().catch(() => ({}));
  if (response.status === 401 && !$("sign-in").open) $("sign-in").showModal();
  if (!response.ok) {
    throw Object.assign(new Error(answer.detail || `the gateway answered ${response.status}`), { status: response.status });
  }
  return answer;
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function show(id, isShown) { $(id).hidden = !isShown; }

function say(problem) {
  $("problem").textContent = problem || "";
  show("problem", Boolean(problem));
}

// crypto.randomUUID exists on secure addresses only; this page is also used over plain HTTP in a home network.
function randomKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function readForm() {
  const [width, height] = $("size").value.split("×").map(Number);
  const image = { prompt: $("prompt").value, model: $("model").value, width, height, steps: Number($("steps").value) };
  if ($("seed").value) image.seed = $("seed").value;
  return { spec: { image } };
}

async function generate(event) {
  event.preventDefault();
  say("");
  $("generate").disabled = true;
  try {
    const { job } = await call("POST", "/api/v1/jobs", readForm(), { "Idempotency-Key": randomKey() });
    watch(job.job_id);
    listJobs();
  } catch (error) {
    say(error.message);
  } finally {
    $("generate").disabled = false;
  }
}

function unwatch() {
  if (!watched) return;
  watched.source?.close();
  clearTimeout(watched.timer);
  watched = null;
}

function watch(id) {
  unwatch();
  watched = { id, state: "", source: null, lastId: "", timer: 0, attempt: 0, outputs: new Map() };
  history.replaceState(null, "", `#${id}`);
  show("hint", false);
  show("picture", false);
  show("status", true);
  show("outputs", false);
  show("away", false);
  $("outputs").replaceChildren();
  $("title").textContent = "";
  $("links").replaceChildren();
  setState("JOB_STATE_QUEUED");
  connect(watched);
}

// EventSource resumes by itself after a lost connection. It gives up after an answer other than 200 (as 503 while the
// gateway starts); then this opens a new one, from the last event on.
function connect(target) {
  const after = target.lastId ? `&last_event_id=${encodeURIComponent(target.lastId)}` : "";
  const source = new EventSource(`/api/v1/jobs/${encodeURIComponent(target.id)}/events?max_pixels=1024${after}`);
  target.source = source;
  source.addEventListener("open", () => { if (target === watched) show("away", false); });
  for (const kind of EVENTS) {
    source.addEventListener(kind, (message) => {
      if (target !== watched) return;
      target.lastId = message.lastEventId;
      target.attempt = 0;
      const data = JSON.parse(message.data);
      handle(target, kind, data[kind]);
    });
  }
  source.addEventListener("error", () => {
    if (target !== watched || target.isOver) return;
    show("away", true);
    if (source.readyState === EventSource.CLOSED) connectLater(target);
  });
}

function connectLater(target) {
  const pause = Math.min(500 * 2 ** target.attempt++, 10000);
  target.timer = setTimeout(async () => {
    const problem = await call("GET", `/api/v1/jobs/${encodeURIComponent(target.id)}`).catch((error) => error);
    if (target !== watched) return;
    if (problem.status === 404) forget(problem.message); else connect(target);
  }, pause * (0.5 + Math.random() / 2));
}

function forget(why) {
  unwatch();
  history.replaceState(null, "", "/");
  show("status", false);
  show("hint", true);
  say(why);
}

function handle(target, kind, data) {
  switch (kind) {
    case "snapshot": return showJob(target, data);
    case "state_changed": return setState(data.to);
    case "queue_updated": return showPlace(data);
    case "attempt_started": $("state").textContent = `at work on ${data.backend}`; return;
    case "attempt_failed": $("state").textContent = data.will_retry ? "trying again" : "failed"; return;
    case "model_loading": $("state").textContent = "loading the model"; return;
    case "phase_changed": $("state").textContent = PHASES[data.phase] || "working"; return;
    case "progress": return showProgress(data);
    case "preview": return showPicture(data.url || `data:${data.media_type};base64,${data.data}`, true);
    case "output_ready": return addOutput(target, data);
    case "warning": $("title").textContent = data.message; return;
    case "completed": target.isOver = true; target.source.close(); showJob(target, data.job); listJobs(); return;
  }
}

function setState(state) {
  $("state").textContent = STATES[state] || "";
  show("cancel", state === "JOB_STATE_QUEUED" || state === "JOB_STATE_RUNNING");
  const isFinal = FINAL.has(state);
  show("retry", isFinal);
  $("retry").textContent = state === "JOB_STATE_SUCCEEDED" ? "Make another" : "Try again";
  show("progress", !isFinal);
  if (!isFinal && state !== "JOB_STATE_RUNNING") $("progress").removeAttribute("value");
  if (isFinal) show("canvas", true);
}

// "about 40 s"; empty where nothing is foreseen.
function about(duration) {
  const seconds = parseFloat(duration);
  if (Number.isNaN(seconds)) return "";
  return seconds < 90 ? `about ${Math.max(1, Math.round(seconds))} s` : `about ${Math.round(seconds / 60)} min`;
}

function showPlace(queue) {
  const place = queue.ahead ? `waiting, ${queue.ahead} ahead` : "next in the queue";
  const eta = about(queue.finish_eta);
  $("state").textContent = [place, REASONS[queue.reason], eta && `done in ${eta}`].filter(Boolean).join(" · ");
}

function showProgress(progress) {
  $("progress").value = progress.fraction;
  const step = progress.steps ? `step ${progress.step} of ${progress.steps}` : progress.title;
  const speed = progress.steps_per_second ? `${progress.steps_per_second.toFixed(1)} steps a second` : "";
  $("state").textContent = [PHASES[progress.phase] || "working", step, speed].filter(Boolean).join(" · ");
}

function showPicture(address, isPreview) {
  const picture = $("picture");
  picture.src = address;
  picture.className = isPreview ? "preview" : "";
  picture.alt = isPreview ? "a preview" : "the finished picture";
  show("picture", true);
}

function addOutput(target, output) {
  if (output.kind === "OUTPUT_KIND_INTERMEDIATE" || target.outputs.has(output.index)) return;
  target.outputs.set(output.index, output);
  const address = `/api/v1/assets/${output.asset.digest}`;
  if (!output.asset.media_type.startsWith("image/")) return;
  showPicture(address, false);
  const tile = element("button", "tile");
  tile.type = "button";
  const thumbnail = element("img");
  thumbnail.src = `${address}?w=128`;
  thumbnail.alt = `picture ${output.index + 1}`;
  tile.append(thumbnail);
  tile.addEventListener("click", () => { showPicture(address, false); showLinks(target, output); });
  $("outputs").append(tile);
  show("outputs", target.outputs.size > 1);
  showLinks(target, output);
}

function showLinks(target, output) {
  const links = [];
  const add = (text, address) => { const link = element("a", "", text); link.href = address; links.push(link); };
  if (output) add("full size", `/api/v1/assets/${output.asset.digest}`);
  add("live picture", `/api/v1/jobs/${target.id}/live`);
  add("as JSON", `/api/v1/jobs/${target.id}`);
  if (output?.seed) links.push(element("span", "", `seed ${output.seed}`));
  $("links").replaceChildren(...links);
}

function promptOf(job) {
  const said = job.spec?.image?.prompt ?? job.spec?.workflow?.inputs?.prompt;
  return typeof said === "string" ? said : "";
}

function showJob(target, job) {
  setState(job.state);
  $("title").textContent = job.error?.message || promptOf(job);
  if (job.progress && job.state === "JOB_STATE_RUNNING") showProgress(job.progress);
  if (job.queue) showPlace(job.queue);
  target.state = job.state;
  for (const output of job.outputs) addOutput(target, output);
  showLinks(target, [...target.outputs.values()].pop());
  if (FINAL.has(job.state)) target.isOver = true;
}

async function cancel() {
  if (!watched) return;
  try {
    await call("POST", `/api/v1/jobs/${encodeURIComponent(watched.id)}:cancel`, {});
  } catch (error) {
    say(error.message);
  }
}

// What went well is made with new seeds: with the old ones it would come out the same.
async function retry() {
  if (!watched) return;
  say("");
  $("retry").disabled = true;
  const wish = { new_seeds: watched.state === "JOB_STATE_SUCCEEDED" };
  try {
    const { job } = await call("POST", `/api/v1/jobs/${encodeURIComponent(watched.id)}:retry`, wish, { "Idempotency-Key": randomKey() });
    watch(job.job_id);
    listJobs();
  } catch (error) {
    say(error.message);
  } finally {
    $("retry").disabled = false;
  }
}

function jobTile(job) {
  const tile = element("button", "tile");
  tile.type = "button";
  tile.title = promptOf(job) || job.job_id;
  const output = job.outputs.find((one) => one.kind !== "OUTPUT_KIND_INTERMEDIATE" && one.asset.media_type.startsWith("image/"));
  if (output) {
    const picture = element("img");
    picture.src = `/api/v1/assets/${output.asset.digest}?w=256`;
    picture.alt = tile.title;
    picture.loading = "lazy";
    picture.addEventListener("error", () => tile.replaceChildren(element("span", "", "the picture is gone")));
    tile.append(picture);
  } else {
    tile.append(element("span", "", STATES[job.state] || "job"));
  }
  tile.addEventListener("click", () => { watch(job.job_id); scrollTo({ top: 0, behavior: "smooth" }); });
  return tile;
}

async function listJobs() {
  try {
    const { jobs } = await call("GET", "/api/v1/jobs?page_size=24");
    $("jobs").replaceChildren(...jobs.map(jobTile));
    show("recent", jobs.length > 0);
  } catch (error) {
    say(error.message);
  }
}

async function listModels() {
  try {
    const { models } = await call("GET", "/api/v1/models?type=checkpoint");
    for (const model of models) {
      const option = element("option", "", model.description ? `${model.name} (${model.description})` : model.name);
      option.value = model.name;
      $("model").append(option);
    }
  } catch { /* the server chooses; the list of jobs says what is wrong */ }
}

async function signIn(event) {
  event.preventDefault();
  try {
    await call("POST", "/session", { key: $("key").value });
    location.reload();
  } catch (error) {
    $("key-problem").textContent = error.message;
    show("key-problem", true);
  }
}

$("form").addEventListener("submit", generate);
$("key-form").addEventListener("submit", signIn);
$("cancel").addEventListener("click", cancel);
$("retry").addEventListener("click", retry);
$("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("form").requestSubmit();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) listJobs(); });
listModels();
listJobs();
if (/^#[0-9a-f-]{8,64}$/.test(location.hash)) watch(location.hash.slice(1));
