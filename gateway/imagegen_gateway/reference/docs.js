// Shows openapi.json for people to read and try. Text only ever goes in by textContent.

const content = document.getElementById("content");

function make(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null));
  return made;
}

// Descriptions are paragraphs with `code` and lists; nothing else is understood.
function prose(text) {
  const parts = (text || "").split(/\n{2,}/).map((paragraph) => {
    const lines = paragraph.split("\n");
    const items = lines.filter((line) => line.startsWith("- "));
    if (!items.length) return make("p", "", ...inline(lines.join(" ")));
    const joined = paragraph.replace(/\n(?!- )\s*/g, " ").split("\n").map((line) => line.slice(2));
    return make("ul", "", ...joined.map((line) => make("li", "", ...inline(line))));
  });
  return make("div", "", ...parts);
}

function inline(text) {
  return text.split("`").map((part, number) => (number % 2 ? make("code", "", part) : part));
}

function typeOf(schema) {
  if (!schema) return "";
  if (schema.$ref) {
    const name = schema.$ref.split("/").pop();
    const link = make("a", "", name);
    link.href = `#schema-${name}`;
    return link;
  }
  if (schema.type === "array") return make("span", "", "list of ", typeOf(schema.items));
  if (schema.type === "object" && typeof schema.additionalProperties === "object") {
    return make("span", "", "map to ", typeOf(schema.additionalProperties));
  }
  return schema.format || schema.type || "";
}

function rules(schema) {
  const names = {
    minimum: "≥", maximum: "≤", exclusiveMinimum: ">", exclusiveMaximum: "<", minLength: "length ≥", maxLength: "length ≤",
    minItems: "items ≥", maxItems: "items ≤", maxProperties: "pairs ≤", pattern: "matches",
  };
  const found = Object.entries(names).filter(([key]) => schema[key] !== undefined).map(([key, sign]) => `${sign} ${schema[key]}`);
  if (schema.enum) found.push(`one of ${schema.enum.slice(0, 50).join(", ")}${schema.enum.length > 50 ? ", …" : ""}`);
  return found.length ? make("div", "soft", found.join(" · ")) : null;
}

function row(name, schema, text, note) {
  const first = make("td", "", make("code", "", name), note ? make("div", "soft", note) : null);
  return make("tr", "", first, make("td", "", typeOf(schema)), make("td", "", prose(text), rules(schema)));
}

function properties(schema) {
  const required = new Set(schema.required || []);
  const rows = Object.entries(schema.properties || {}).map(([name, one]) =>
    row(name, one, one.description, required.has(name) ? "required" : ""));
  return rows.length ? make("table", "", ...rows) : make("p", "soft", "no fields");
}

function bodyOf(described) {
  return Object.entries(described.content || {}).map(([type, { schema }]) =>
    make("div", "", make("p", "", make("code", "", type), " ", typeOf(schema)),
      schema.description ? prose(schema.description) : null, schema.properties ? properties(schema) : null));
}

function operation(path, verb, described) {
  const details = make("details", "", make("summary", "",
    make("span", `verb ${verb}`, verb.toUpperCase()), make("code", "", path), make("span", "soft", described.summary || "")));
  details.id = described.operationId;
  const body = make("div", "", prose(described.description));
  if (described.parameters?.length) {
    body.append(make("h3", "", "Parameters"), make("table", "", ...described.parameters.map((one) =>
      row(one.name, one.schema, one.description, one.required ? `${one.in}, required` : one.in))));
  }
  if (described.requestBody) body.append(make("h3", "", "Body"), ...bodyOf(described.requestBody));
  body.append(make("h3", "", "Answers"));
  for (const [status, answer] of Object.entries(described.responses)) {
    if (answer.$ref) body.append(make("p", "", make("code", "", status), " ", link("#schema-Problem", "a problem document")));
    else body.append(make("p", "", make("code", "", status), " ", answer.description), ...bodyOf(answer));
  }
  if (verb === "get") body.append(make("h3", "", "Try it"), tryIt(path, described));
  details.append(body);
  return details;
}

function link(address, text) {
  const made = make("a", "", text);
  made.href = address;
  return made;
}

function tryIt(path, described) {
  const inputs = (described.parameters || []).filter((one) => one.in !== "header").map((one) => {
    const input = make("input", "");
    input.name = one.name;
    input.required = Boolean(one.required);
    return { one, input, label: make("label", "", one.name, input) };
  });
  const result = make("div", "result");
  const button = make("button", "quiet", "Send");
  const form = make("form", "", make("div", "try", ...inputs.map(({ label }) => label)), button, result);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    let address = path;
    const query = new URLSearchParams();
    for (const { one, input } of inputs) {
      if (one.in === "path") address = address.replace(`{${one.name}}`, encodeURIComponent(input.value));
      else if (input.value) query.append(one.name, input.value);
    }
    if (query.size) address += `?${query}`;
    result.replaceChildren(make("p", "", link(address, address)));
    if (described.responses["200"]?.content?.["text/event-stream"]) return stream(address, result);
    if (described.responses["200"]?.content?.["image/*"]) return picture(address, result);
    const response = await fetch(address);
    if ((response.headers.get("Content-Type") || "").startsWith("image/")) return picture(address, result);
    const text = await response.text();
    result.append(make("p", "", `${response.status} ${response.statusText}`), make("pre", "", pretty(text)));
  });
  return form;
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text.slice(0, 20000); }
}

function picture(address, result) {
  const made = make("img", "");
  made.src = address;
  made.alt = "the answer";
  result.append(made);
}

function stream(address, result) {
  const lines = make("pre", "");
  const source = new EventSource(address);
  const stop = make("button", "quiet", "Stop");
  stop.type = "button";
  stop.addEventListener("click", () => source.close());
  result.append(stop, lines);
  const kinds = ["snapshot", "state_changed", "queue_updated", "attempt_started", "attempt_failed", "model_loading", "plan",
    "phase_changed", "progress", "preview", "output_ready", "warning", "updated", "completed", "caught_up", "reset"];
  for (const kind of kinds) {
    source.addEventListener(kind, (message) => lines.append(`${kind} ${message.data.slice(0, 300)}\n`));
  }
}

function schemaSection(name, schema) {
  const details = make("details", "", make("summary", "", make("code", "", name)));
  details.id = `schema-${name}`;
  const body = make("div", "", prose(schema.description));
  if (schema.properties) body.append(properties(schema));
  details.append(body);
  return details;
}

function errors(document_) {
  const lines = (document_.components.schemas.Problem.properties.reason.description || "").split("\n").filter((line) => line.startsWith("- "));
  return lines.map((line) => {
    const [, name, text] = line.match(/^- `([^`]+)`: (.*)$/) || [null, line, ""];
    const made = make("p", "", make("code", "", name), ` ${text}`);
    made.id = `error-${name}`;
    return made;
  });
}

function openTarget() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.tagName === "DETAILS") target.open = true;
  target.scrollIntoView();
}

const described = await (await fetch("/openapi.json")).json();
document.getElementById("title").textContent = `${described.info.title} API ${described.info.version}`;
content.replaceChildren(prose(described.info.description));
for (const { name } of described.tags) {
  content.append(make("h2", "", name));
  for (const [path, verbs] of Object.entries(described.paths)) {
    for (const [verb, one] of Object.entries(verbs)) {
      if (one.tags.includes(name)) content.append(operation(path, verb, one));
    }
  }
}
content.append(make("h2", "", "Types"));
for (const [name, schema] of Object.entries(described.components.schemas)) content.append(schemaSection(name, schema));
content.append(make("h2", "", "Errors"), ...errors(described));
addEventListener("hashchange", openTarget);
openTarget();
