// The studio's JSON (docs/studio-api.md): requests, jobs and what happens in them.

export class StudioError extends Error {
  constructor(message, kind = "", status = 0) {
    super(message);
    Object.assign(this, { name: "StudioError", kind, status });
  }
}

async function answer(path, options) {
  let reply;
  try {
    reply = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new StudioError("The studio does not answer. Is `partimento studio` still running in its terminal?", "Gone");
  }
  if (reply.ok) return reply;
  const body = await reply.json().catch(() => null);
  const { message, kind } = body?.error ?? {};
  throw new StudioError(message ?? `The studio answered ${reply.status} ${reply.statusText}`, kind, reply.status);
}

const send = (method) => async (path, body) => {
  const reply = await answer(`/api/${path}`, {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body ?? {}),
  });
  return reply.json();
};

export const get = async (path, signal) => (await answer(`/api/${path}`, { signal })).json();
export const bytes = async (path, signal) => (await answer(`/api/${path}`, { signal })).arrayBuffer();
export const text = async (path) => (await answer(`/api/${path}`)).text();
export const post = send("POST");
export const patch = send("PATCH");
export const remove = send("DELETE");

/** A file as it is; `path` without the name. */
export async function upload(path, file, name = file.name) {
  const reply = await answer(`/api/${path}?name=${encodeURIComponent(name)}`, {
    method: "POST",
    headers: { "Content-Type": "application/octet-stream" },
    body: file,
  });
  return reply.json();
}

const LAST = new Set(["done", "stopped", "error"]);
const EVENTS = ["queued", "plan", "notes", "tracks", "progress", "verdicts", "said", "sample", "row", "health", ...LAST];

/** A job that runs: its events are handed to `hears` by name; `over` is kept when it has ended. */
export class Job {
  constructor(made, hears = {}) {
    Object.assign(this, { id: made.id, kind: made.kind, hears, isOver: false });
    this.over = new Promise((keep, refuse) => {
      this.source = new EventSource(`/api/jobs/${made.id}/events`);
      for (const name of EVENTS) {
        this.source.addEventListener(name, (event) => {
          if (event.data === undefined) return; // the connection's own "error", not the job's
          this.hear(name, JSON.parse(event.data), keep, refuse);
        });
      }
      this.source.onerror = () => this.lost(refuse);
    });
    this.over.catch(() => {}); // whoever waits for it is told; nobody has to
  }

  hear(name, data, keep, refuse) {
    this.silence = 0;
    this.hears[name]?.(data);
    if (!LAST.has(name)) return;
    this.isOver = true;
    this.source.close();
    if (name === "error") refuse(new StudioError(data.error?.message ?? "The job failed", data.error?.kind));
    else keep({ ...data, stopped: name === "stopped" });
  }

  /** The browser tries again by itself after a lost connection; after some tries the studio is gone. */
  lost(refuse) {
    if (this.isOver) return;
    this.silence = (this.silence ?? 0) + 1;
    if (this.source.readyState !== EventSource.CLOSED && this.silence < 6) return;
    this.isOver = true;
    this.source.close();
    refuse(new StudioError("The connection to the studio was lost; what was finished is in the library.", "Gone"));
  }

  stop() {
    return this.isOver ? null : post(`jobs/${this.id}/stop`);
  }
}

export const start = async (kind, request, hears) => new Job(await post(`jobs/${kind}`, request), hears);
