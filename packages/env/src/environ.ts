/**
 * Variables of `NAME=value` entries. Entries without `=` are dropped; of entries with the same name the first counts,
 * as `getenv` would find it.
 */
export function parseEnviron(environ: Iterable<string>): Map<string, string> {
  const vars = new Map<string, string>();
  for (const entry of environ) {
    const equals = entry.indexOf("=");
    if (equals < 0) continue;
    const name = entry.slice(0, equals);
    if (!vars.has(name)) vars.set(name, entry.slice(equals + 1));
  }
  return vars;
}

/** The `NAME=value` entries of variables by name, as Node has them; `undefined` is not set. */
export function formatEnviron(vars: Readonly<Record<string, string | undefined>>): string[] {
  return Object.entries(vars).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
}
