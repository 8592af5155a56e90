import { BlockList, isIP } from "node:net";
import { ImageError } from "../errors.ts";

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Says which requests go through a proxy: `HTTPS_PROXY` and `HTTP_PROXY` name it, `NO_PROXY` the hosts that are asked
 * directly, each also in lower case; this machine is always asked directly. The rules are those of Go's programs, which
 * users of this field have written their variables for.
 */
export class Proxies {
  readonly #env: Env;
  readonly #direct: readonly DirectRule[];

  /** @param env of which the variables above count */
  constructor(env: Env) {
    this.#env = env;
    this.#direct = parseNoProxy(variable(env, "NO_PROXY"));
  }

  /**
   * The proxy for a request.
   * @returns its URL, `http:` or `https:`, perhaps with a user's name and password; undefined for a direct connection
   * @throws ImageError `invalid` if the variable holds no such URL
   */
  find(url: URL): URL | undefined {
    const name = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
    const value = variable(this.#env, name);
    if (value === "" || this.#isDirect(url)) return undefined;
    // A CGI server hands a client's "Proxy" header on as HTTP_PROXY.
    if (name === "HTTP_PROXY" && this.#env.REQUEST_METHOD) {
      throw new ImageError("invalid", "HTTP_PROXY is not used in a CGI program");
    }
    return parseProxy(name, value);
  }

  #isDirect({ protocol, hostname, port }: URL): boolean {
    const host = hostname.replace(/^\[|\]$/g, "").toLowerCase();
    if (host === "localhost" || isLoopback(host)) return true;
    const effective = port || (protocol === "https:" ? "443" : "80");
    return this.#direct.some((rule) => (rule.port === undefined || rule.port === effective) && rule.matches(host));
  }
}

interface DirectRule {
  /** Undefined for every port. */
  readonly port: string | undefined;
  matches(host: string): boolean;
}

function variable(env: Env, name: string): string {
  return env[name] || env[name.toLowerCase()] || "";
}

function parseProxy(name: string, value: string): URL {
  const text = value.includes("://") ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.hostname !== "" && isEscaped(url)) return url;
  // It is not shown, as it may hold a password.
  throw new ImageError("invalid", `${name} names no proxy: an address like http://proxy.example.com:3128 is expected`);
}

/** Whether name and password can be told: a percent sign in them must be written as %25. */
function isEscaped({ username, password }: URL): boolean {
  try {
    decodeURIComponent(`${username}${password}`);
    return true;
  } catch {
    return false;
  }
}

function parseNoProxy(text: string): DirectRule[] {
  const rules: DirectRule[] = [];
  for (const item of text.split(",")) {
    const entry = item.trim().toLowerCase();
    if (entry === "") continue;
    if (entry === "*") return [{ port: undefined, matches: () => true }];
    const rule = parseNetwork(entry) ?? parseHost(entry);
    if (rule !== undefined) rules.push(rule);
  }
  return rules;
}

/** A rule such as `10.0.0.0/8`. */
function parseNetwork(entry: string): DirectRule | undefined {
  const [, network = "", length = ""] = /^([^/]+)\/(\d{1,3})$/.exec(entry) ?? [];
  const family = familyOf(network);
  if (family === undefined || Number(length) > (family === "ipv4" ? 32 : 128)) return undefined;
  const list = new BlockList();
  list.addSubnet(network, Number(length), family);
  return { port: undefined, matches: (host) => familyOf(host) === family && list.check(host, family) };
}

/** A rule for an address or for a name with all below it; `.name` and `*.name` mean only what is below. */
function parseHost(entry: string): DirectRule | undefined {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  const host = bracketed ?? plain ?? entry;
  const family = familyOf(host);
  if (family !== undefined) {
    const list = new BlockList();
    list.addAddress(host, family);
    return { port, matches: (other) => familyOf(other) === family && list.check(other, family) };
  }
  if (host === "") return undefined;
  const name = host.startsWith("*.") ? host.slice(1) : host;
  if (name.startsWith(".")) return { port, matches: (other) => other.endsWith(name) };
  return { port, matches: (other) => other === name || other.endsWith(`.${name}`) };
}

function familyOf(host: string): "ipv4" | "ipv6" | undefined {
  const version = isIP(host);
  if (version === 0) return undefined;
  return version === 4 ? "ipv4" : "ipv6";
}

function isLoopback(host: string): boolean {
  return /^127\.\d+\.\d+\.\d+$/.test(host) || host === "::1";
}
