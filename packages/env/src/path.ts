/**
 * Joins path elements with `/` and removes empty, `.` and `..` elements lexically, without looking at any file.
 * Empty elements are skipped; the result is "" only if all of them are empty.
 */
export function joinPath(...elements: readonly string[]): string {
  const joined = elements.filter((element) => element !== "").join("/");
  if (joined === "") return "";
  const absolute = joined.startsWith("/");
  const kept: string[] = [];
  for (const part of joined.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && kept.length > 0 && kept.at(-1) !== "..") kept.pop();
    else if (part !== ".." || !absolute) kept.push(part);
  }
  const path = (absolute ? "/" : "") + kept.join("/");
  return path === "" ? "." : path;
}
