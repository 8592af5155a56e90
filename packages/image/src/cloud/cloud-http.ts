import { readFile } from "node:fs/promises";
import { ImageError } from "../errors.ts";
import type { JsonObject } from "../go-json.ts";
import { isJsonObject } from "../json-border.ts";
import { describe, HttpClient, type HttpRequest, readBody } from "../registry/http.ts";
import { Proxies } from "../registry/proxy.ts";
import { Trust } from "../registry/trust.ts";

/** The environment that clouds set for their workloads. */
export type CloudEnv = Readonly<Record<string, string | undefined>>;

const maxAnswer = 256 * 1024;

/** A cloud's services get this long to answer, in milliseconds. */
const serviceTimeout = 15_000;

/** Where there is a metadata service, it is on the same machine; elsewhere nobody answers. In milliseconds. */
const metadataTimeout = 1_000;

/** Asks a cloud's services for credentials. */
export class CloudHttp {
  readonly #services: HttpClient;
  /** Link-local, so never behind a proxy. */
  readonly #metadata: HttpClient;

  constructor(env: CloudEnv) {
    const trust = new Trust(env);
    this.#services = new HttpClient({ trust, verify: true, proxies: new Proxies(env) });
    this.#metadata = new HttpClient({ trust, verify: true });
  }

  /**
   * Asks a service.
   * @returns the answer's body
   * @throws ImageError naming the address, and never what was sent, for any status but 200
   */
  ask(request: HttpRequest): Promise<string> {
    return answerOf(this.#services, { ...request, signal: AbortSignal.timeout(serviceTimeout) });
  }

  /**
   * Asks the machine's metadata service.
   * @returns undefined if there is none, or it has no such thing
   */
  async askMetadata(request: HttpRequest): Promise<string | undefined> {
    try {
      return await answerOf(this.#metadata, { ...request, signal: AbortSignal.timeout(metadataTimeout) });
    } catch {
      return undefined;
    }
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    await Promise.all([this.#services.close(), this.#metadata.close()]);
  }
}

async function answerOf(client: HttpClient, request: HttpRequest): Promise<string> {
  try {
    const response = await client.send(request);
    const body = await readBody(response, maxAnswer);
    if (response.status === 200) return body.toString();
    throw new ImageError("unauthorized", `${describe(request)}: unexpected status code ${response.status}`);
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError("unreachable", `${describe(request)}: no answer in time`, { cause: error });
  }
}

/** A form, as the body of a POST request. */
export function formRequest(url: URL, fields: Readonly<Record<string, string>>): HttpRequest {
  const body = Buffer.from(new URLSearchParams(fields).toString());
  return { method: "POST", url, headers: { "content-type": "application/x-www-form-urlencoded" }, body };
}

/** A string deep in a JSON text; undefined if it is not there, or the text is no JSON. */
export function textAt(json: string | undefined, ...path: readonly (string | number)[]): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json ?? "");
  } catch {
    return undefined;
  }
  for (const key of path) {
    if (typeof key === "number" ? !Array.isArray(value) : !isJsonObject(value)) return undefined;
    value = (value as JsonObject)[key];
  }
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A file's text without white space around it; undefined if there is none. */
export async function readText(path: string | undefined): Promise<string | undefined> {
  if (!path) return undefined;
  const text = await readFile(path, "utf8").catch(() => "");
  return text.trim() || undefined;
}
