// Calls of the Job service on the server that this page comes from.

const PATH = "inventory/v1/job/";
const PAGE = 1000;
// A timeout in milliseconds, longer than any response of a working server takes.
const LONGEST = 60_000;
const CODES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

// Statuses of responses by proxies, which have no google.rpc.Status.
const BY_PROXIES = {
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  429: "RESOURCE_EXHAUSTED",
  502: "UNAVAILABLE",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

/** A call that failed: the name of its google.rpc.Code, the message, and the fields at fault. */
export class CallFailed extends Error {
  constructor(code, message, fields = []) {
    super(message);
    this.code = code;
    this.fields = fields;
  }
}

/** A client of the Job service for one caller, `{domain, token}`: strings that may be empty. */
export class JobService {
  #headers;

  /** Throws CallFailed for characters that a header cannot have. */
  constructor({ domain, token }) {
    try {
      this.#headers = new Headers({ "content-type": "application/json" });
      if (domain) this.#headers.set("x-domain-id", domain);
      if (token) this.#headers.set("authorization", `Bearer ${token}`);
    } catch {
      throw new CallFailed(
        "INVALID_ARGUMENT",
        "The domain or the token has characters that no header can hold.",
      );
    }
  }

  /** The response of `method` to a query; throws as `send`. */
  call(method, query, signal) {
    return this.send(method, { query }, signal);
  }

  /** The response to a message; throws CallFailed, or AbortError once `signal` aborts. */
  async send(method, message, signal) {
    const answer = await fetched(PATH + method, {
      method: "POST",
      headers: this.#headers,
      body: JSON.stringify(message),
      cache: "no-store",
      signal,
    });
    const body = await answer.json().catch((error) => {
      if (error.name === "AbortError") throw error;
      if (error.name === "TimeoutError") throw late();
      return null;
    });
    if (answer.ok && body !== null) return body;
    throw failure(answer, body);
  }

  /** All results of a list or stat, from at most `most` pages, and how many there are. */
  async pages(method, query, most, signal) {
    const page = (number) =>
      this.call(method, { ...query, page: { start: 1 + number * PAGE, limit: PAGE } }, signal);
    const first = await page(0);
    const total = first.total_count ?? 0;
    const count = Math.min(most, Math.ceil(total / PAGE));
    const others = Array.from({ length: Math.max(0, count - 1) }, (_, i) => page(i + 1));
    const answers = [first, ...(await Promise.all(others))];
    return { results: answers.flatMap((answer) => answer.results ?? []), total };
  }
}

/** The mode of the server and a domain to start with: `{auth_mode, domain}`, both optional. */
export async function entrance(signal) {
  const answer = await fetched("home/entrance.json", { cache: "no-store", signal });
  return answer.ok ? answer.json() : {};
}

/** The module that the promise `part` imports; throws CallFailed if it cannot be loaded. */
export async function loading(part) {
  try {
    return await part;
  } catch {
    throw unreachable();
  }
}

async function fetched(path, options) {
  const ends = [AbortSignal.timeout(LONGEST), options.signal].filter(Boolean);
  try {
    return await fetch(path, { ...options, signal: AbortSignal.any(ends) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw error.name === "TimeoutError" ? late() : unreachable();
  }
}

const late = () => new CallFailed("DEADLINE_EXCEEDED", "The server has not answered.");
const unreachable = () => new CallFailed("UNAVAILABLE", "The server cannot be reached.");

function failure(answer, status) {
  if (typeof status?.message !== "string") {
    if (answer.ok) return new CallFailed("UNAVAILABLE", "The answer broke off.");
    const code = BY_PROXIES[answer.status] ?? `HTTP ${answer.status}`;
    return new CallFailed(code, `HTTP ${answer.status} ${answer.statusText}`.trim());
  }
  const violations = (status.details ?? []).flatMap((detail) => detail.field_violations ?? []);
  return new CallFailed(CODES[status.code] ?? `HTTP ${answer.status}`, status.message, violations);
}
