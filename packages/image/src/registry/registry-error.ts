import { STATUS_CODES } from "node:http";
import { ImageError, type ImageErrorCode } from "../errors.ts";
import { isJsonObject } from "../json-border.ts";
import { describe, type HttpResponse, readBody } from "./http.ts";

const maxErrorBody = 64 * 1024;

// What gateways and rate limits answer with; 499 and 522 are those of nginx and Cloudflare.
const transientStatuses = [408, 429, 499, 500, 502, 503, 504, 522];

/** A registry, token server or blob store answered with an error. */
export class RegistryError extends ImageError {
  /** The HTTP status. */
  readonly status: number;
  /** In milliseconds, if the server said when to come back. */
  readonly retryAfter: number | undefined;

  constructor(message: string, status: number, retryAfter?: number) {
    super(codeOf(status), message);
    this.status = status;
    this.retryAfter = retryAfter;
  }

  /** The same error, which also says what is known of it here. */
  explained(what: string): RegistryError {
    return new RegistryError(`${this.message}; ${what}`, this.status, this.retryAfter);
  }

  /** Whether trying again may help. */
  get transient(): boolean {
    return transientStatuses.includes(this.status);
  }
}

function codeOf(status: number): ImageErrorCode {
  if (status === 401 || status === 403) return "unauthorized";
  return status === 404 ? "not-found" : "refused";
}

/** Reads an error answer: the message says what was asked for, and the registry's own words if it has any. */
export async function registryError(response: HttpResponse): Promise<RegistryError> {
  const { request, status, headers } = response;
  const body = await readBody(response, maxErrorBody).catch(() => Buffer.alloc(0));
  const words = diagnostics(body) || `unexpected status code ${status} ${STATUS_CODES[status] ?? ""}`.trimEnd();
  return new RegistryError(`${describe(request)}: ${words}`, status, parseRetryAfter(headers["retry-after"]));
}

/** The errors in a registry's answer (OCI distribution spec, error codes), as `CODE: message`. */
function diagnostics(body: Buffer): string {
  try {
    const { errors }: { errors?: unknown } = JSON.parse(body.toString());
    if (!Array.isArray(errors)) return "";
    return errors
      .filter(isJsonObject)
      .map(({ code, message, detail }) =>
        [`${code ?? "UNKNOWN"}: ${message ?? ""}`, ...(typeof detail === "string" ? [detail] : [])].join("; "),
      )
      .join("; ");
  } catch {
    return "";
  }
}

function parseRetryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
}
