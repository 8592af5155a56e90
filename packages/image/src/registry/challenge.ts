/** How a registry wants to be asked (RFC 9110, section 11): `Basic`, or `Bearer` with a token from its `realm`. */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  /** By lower-case name. */
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * Finds the challenge to answer in WWW-Authenticate headers.
 * @returns undefined if there is none that a registry client can answer
 */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  return parseChallenges(header ?? "").find(({ scheme }) => scheme === "bearer" || scheme === "basic");
}

// A token, then either `=` and its value (a parameter) or more tokens (it was a scheme).
const item = /\s*,?\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y;

function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  item.lastIndex = 0;
  for (let match = item.exec(header); match !== null; match = item.exec(header)) {
    const [, name = "", quoted, bare] = match;
    const value = quoted?.replace(/\\(.)/g, "$1") ?? bare;
    if (value === undefined) challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
    else challenges.at(-1)?.parameters.set(name.toLowerCase(), value);
  }
  return challenges;
}
